"""GPT-2's pre-tokenisation: text is cut into chunks that no merge crosses.

Covers the split into chunks. Not covered: special tokens, which are cut out before (see `special`).
"""

import regex  # type: ignore[import-untyped, unused-ignore]

from reference.checked import checked

CHUNK = regex.compile(
    r"""
      '(?:s|t|re|ve|m|ll|d)      # an English contraction, lower case only
    | [ ]? \p{L}+                # letters, with the space before them
    | [ ]? \p{N}+                # digits and other numbers, likewise
    | [ ]? [^\s\p{L}\p{N}]+      # what is neither of them nor white, likewise
    | \s+ (?!\S)                 # white to the end, or all but the last before something else, which may take that
    | \s+                        # that last one, where it is not a space
    """,
    flags=regex.VERBOSE,
)
LOOKAHEAD = 2  # characters after a chunk that can decide where it ends: "   a" reads one white and one "a" beyond


@checked
def pretokenize(text: str) -> list[str]:
    """Cut a text into words, numbers, runs of other characters and white space, as GPT-2 does.

    A single space goes with what follows it; a run of white space leaves its last character for that. An apostrophe
    with s, t, re, ve, m, ll or d is a chunk where no chunk has begun before it: "we'll" is "we", "'ll", but " 'll" is
    " '", "ll". Combining marks and joiners are neither letters nor numbers. What is a letter (\\p{L}), a number
    (\\p{N}) and white (\\s) is said by the Unicode tables of the `regex` package. The chunks together are the text; an
    empty text has none.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", and its released encoder.

    Args:
        text: any text without lone surrogates.
    Returns:
        The chunks in order.
    Raises:
        ValueError: the text has a lone surrogate, which no UTF-8 spells.

    Cost: O(N) for N characters.

    >>> pretokenize("we'll see  3 cats!")
    ['we', "'ll", ' see', ' ', ' 3', ' cats', '!']
    """
    hold_scalar_values("text", text)
    chunks: list[str] = CHUNK.findall(text)
    return chunks


def hold_scalar_values(name: str, text: str) -> None:
    """Hold a text to what UTF-8 can spell.

    Raises:
        ValueError: it has a lone surrogate; the first is quoted with its place.

    >>> hold_scalar_values("text", "a" + chr(0xD800))
    Traceback (most recent call last):
    ValueError: text: expected Unicode without lone surrogates, got '\\ud800' at 1
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        place = error.start
        raise ValueError(f"{name}: expected Unicode without lone surrogates, got {text[place]!r} at {place}") from None
