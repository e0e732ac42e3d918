"""Special tokens: marks such as "<|endoftext|>" that are found in text before anything else, and never split.

Covers overlapping ones, and text whose end is not known yet. Not covered: their ids (see `tokenizer`).
"""

from collections.abc import Iterable, Sequence

import regex  # type: ignore[import-untyped, unused-ignore]

from reference.checked import checked
from reference.tokenizer.pretokenization import hold_scalar_values

NOTHING = regex.compile(r"(?!)")  # never found


@checked
def split_special(text: str, special_tokens: list[str] | tuple[str, ...]) -> list[tuple[str, bool]]:
    """Cut a text at its special tokens.

    From left to right: the special token that begins first is taken, of several that begin there the longest, and the
    search goes on after its end. So special tokens never overlap, and one inside a longer one is not seen.
    Two that touch have nothing between them; an empty text has no parts.

    Source: leftmost, then longest, as POSIX matches (IEEE Std 1003.1-2017, Base Definitions, section 9.1).

    Args:
        text: any text without lone surrogates.
        special_tokens: not empty, without lone surrogates.
    Returns:
        Parts, none of them empty, and whether each is a special token; together they are the text.
    Raises:
        ValueError: a special token is empty, or it or the text has a lone surrogate.

    Cost: O(N·S) for N characters and S characters of special tokens.

    >>> split_special("<a><b>c<a>", ["<a>", "<a><b>"])
    [('<a><b>', True), ('c', False), ('<a>', True)]
    """
    hold_scalar_values("text", text)
    hold_special_tokens(special_tokens)
    return Finder(special_tokens).split(text)


def hold_special_tokens(special_tokens: Iterable[str]) -> None:
    """Hold special tokens to what can be found in a text.

    Raises:
        TypeError: one is not a text.
        ValueError: one is empty, or has a lone surrogate.

    >>> hold_special_tokens(["<a>", ""])
    Traceback (most recent call last):
    ValueError: special_tokens: expected texts of one character or more, got ''
    """
    for token in special_tokens:
        if not isinstance(token, str):
            raise TypeError(f"special_tokens: expected texts, got {type(token).__name__}")
        if not token:
            raise ValueError("special_tokens: expected texts of one character or more, got ''")
        hold_scalar_values("special_tokens", token)


class Finder:
    """Finds special tokens by the rule of `split_special`, also where more text may follow.

    >>> finder = Finder(["<a>", "<a><b>"])
    >>> finder.open_from("x<a>y<a><")         # "<a><" can still become "<a><b>", so nothing is known from 5 on
    5
    """

    def __init__(self, special_tokens: Sequence[str]) -> None:
        longest_first = sorted(special_tokens, key=len, reverse=True)
        self.pattern = regex.compile("|".join(map(regex.escape, longest_first))) if special_tokens else NOTHING
        self._beginnings = {token[:length] for token in special_tokens for length in range(1, len(token))}
        self._longest = max(map(len, self._beginnings), default=0)

    def split(self, text: str) -> list[tuple[str, bool]]:
        """The parts of a whole text, as `split_special` says."""
        parts: list[tuple[str, bool]] = []
        end = 0
        for found in self.pattern.finditer(text):
            parts += [(text[end : found.start()], False), (found.group(), True)]
            end = found.end()
        parts.append((text[end:], False))
        return [(part, special) for part, special in parts if part]

    def open_from(self, text: str) -> int:
        """The first place where the rest of `text` is only the beginning of a special token.

        If there is none: the length of `text`.
        """
        n = len(text)
        places = range(max(0, n - self._longest), n)
        return next((place for place in places if text[place:] in self._beginnings), n)
