"""A byte-level tokenizer in a few functions without a class: chunks, training, vocabulary, ids, text.

Covers a short rule for chunks that keeps French elisions, and special tokens that a caller must allow. Not covered:
GPT-2's chunks (see `pretokenization`), streams and large texts (see `tokenizer`), a special token that is a token
already.
"""

import re
from collections import Counter
from collections.abc import Sequence

from reference.checked import checked
from reference.tokenizer.consistency import ordinary_tokens
from reference.tokenizer.encoding import encode_chunk
from reference.tokenizer.pairs import learn_merges
from reference.tokenizer.pretokenization import hold_scalar_values
from reference.tokenizer.special import split_special
from reference.values import known_ids

CHUNK = re.compile(
    r"""
      [ ]? \w+ ['’]?       # a word: letters, digits, underscores; the space before it, the apostrophe after it
    | [ ]? [^\s\w]+        # what is neither that nor white, with the space before it
    | \s+                  # white space
    """,
    flags=re.VERBOSE,
)


@checked
def split_chunks(text: str) -> list[str]:
    """Cut a text into words, runs of other characters and runs of white space.

    From left to right, at each place the first that fits, as long as possible: a run of word characters (letters,
    digits, "_"), with one space before it and one apostrophe (' or ’) after it if they are there; a run of
    characters that are neither word characters nor white, with one space before it if it is there; a run of white
    space. Letters and digits are what `str.isalnum` says, white is what `str.isspace` says; a no-break space is white,
    but is not the space that goes with what follows. The chunks together are the text; an empty text has none.

    Source: the idea of GPT-2's pattern (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").
    Departs from it: elisions ("l'", "qu'") in place of English contractions; a run of white space keeps its last space.

    Args:
        text: any text without lone surrogates.
    Returns:
        The chunks in order.
    Raises:
        ValueError: the text has a lone surrogate.

    Cost: O(N) for N characters.

    >>> split_chunks("l'œuvre d’art,  ici !")
    ["l'", 'œuvre', ' d’', 'art', ',', '  ', 'ici', ' !']
    """
    hold_scalar_values("text", text)
    return [found.group() for found in CHUNK.finditer(text)]


@checked
def train_merges(text: str, n_merges: int) -> list[tuple[bytes, bytes]]:
    """Cut a text into chunks, take them as UTF-8 bytes, learn merges by the rules of `learn_merges`.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), section 2.2.
    Departs from it: chunks are those of `split_chunks`; ties are decided.

    Args:
        text: any text without lone surrogates.
        n_merges: how many merges to learn.
    Returns:
        Merges as (left, right) in order of creation; fewer than `n_merges` when no pair is left.
    Raises:
        ValueError: `n_merges` is negative, or the text has a lone surrogate.

    Cost: O(M·N) time, O(N) memory, for M merges over N bytes of distinct chunks.

    >>> train_merges("été", 2)
    [(b'\\xc3', b'\\xa9'), (b'\\xc3\\xa9', b't')]
    """
    chunks = Counter(chunk.encode() for chunk in split_chunks(text))
    return learn_merges({tuple(bytes([value]) for value in chunk): count for chunk, count in chunks.items()}, n_merges)


@checked
def build_vocabulary(
    merges: Sequence[tuple[bytes, bytes]], special_tokens: list[str] | tuple[str, ...] = ()
) -> list[bytes]:
    """The bytes of each token at the place of its id: bytes 0 to 255, then merges as learned, then special tokens.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes as in Radford et al. 2019 (GPT-2).
    Departs from it: byte tokens are numbered by their value.

    Args:
        merges: as `train_merges` returns them.
        special_tokens: distinct, in order of their ids; none of them an ordinary token.
    Returns:
        The vocabulary.
    Raises:
        ValueError: a merge is not of two tokens before it, or makes one that is there.

    Cost: O(V) for V tokens.

    >>> build_vocabulary([(b"u", b"g")], ["<s>"])[255:]
    [b'\\xff', b'ug', b'<s>']
    """
    return ordinary_tokens(merges) + [token.encode() for token in special_tokens]


@checked
def encode(
    text: str,
    merges: Sequence[tuple[bytes, bytes]],
    special_tokens: list[str] | tuple[str, ...] = (),
    allow_special: bool = False,
) -> list[int]:
    """Ids of a text by the numbers of `build_vocabulary`.

    Where special tokens are allowed, the text is first cut at them as by `split_special`, and each becomes its id. What
    is left is cut into chunks, part by part, and merges are applied to each chunk. Where they are not allowed, a text
    that spells one is a text like any other.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), section 2.2.

    Args:
        text: any text without lone surrogates.
        merges: as `train_merges` returns them.
        special_tokens: as for `build_vocabulary`.
        allow_special: whether special tokens in the text are recognised.
    Returns:
        One id a token, in order.
    Raises:
        ValueError: merges do not fit together, or a text has a lone surrogate.

    Cost: O(M·N) for M merges and N bytes.

    >>> encode("hug<s>", [(b"u", b"g")], ["<s>"]), encode("hug<s>", [(b"u", b"g")], ["<s>"], allow_special=True)
    ([104, 256, 60, 115, 62], [104, 256, 257])
    """
    ids = {token: one for one, token in enumerate(build_vocabulary(merges, special_tokens))}
    encoded: list[int] = []
    for part, special in split_special(text, special_tokens if allow_special else []):
        if special:
            encoded.append(ids[part.encode()])
        else:
            tokens = [token for chunk in split_chunks(part) for token in encode_chunk(chunk.encode(), merges)]
            encoded += [ids[token] for token in tokens]
    return encoded


@checked
def decode(ids: Sequence[int], vocabulary: Sequence[bytes]) -> str:
    """Text of a sequence of ids: the bytes of all tokens together, read as UTF-8.

    Bytes that are no UTF-8 become U+FFFD as `bytes.decode(errors="replace")` does: one for each longest beginning of a
    character, or single byte, that cannot be continued.

    Source: The Unicode Standard 15.0, section 3.9, "U+FFFD Substitution of Maximal Subparts".

    Args:
        ids: ids of the vocabulary; no ids give an empty text.
        vocabulary: as `build_vocabulary` returns it.
    Raises:
        ValueError: an id is negative, or not in the vocabulary.

    Cost: O(N) for N bytes.

    >>> decode([0xE2, 0x82, 0xAC, 0xE2, 0x82, 0x21, 0xFF], build_vocabulary([]))     # the euro sign, whole and cut
    '€�!�'
    """
    known_ids("ids", ids, n_tokens=len(vocabulary))
    return b"".join(vocabulary[one] for one in ids).decode(errors="replace")


@checked
def bytes_per_token(text: str, merges: Sequence[tuple[bytes, bytes]]) -> float:
    """How many bytes of UTF-8 a token stands for on average; 0 for an empty text.

    Source: "bytes per token" as it is used to compare tokenizers; 1 without merges, and the more the better compressed.

    Args:
        text: any text without lone surrogates.
        merges: as `train_merges` returns them.
    Returns:
        Bytes of the text divided by the number of its tokens.
    Raises:
        ValueError: merges do not fit together, or the text has a lone surrogate.

    Cost: O(M·N) for M merges and N bytes.

    >>> bytes_per_token("hugs", [(b"u", b"g"), (b"h", b"ug")])
    2.0
    """
    return len(text.encode()) / len(encode(text, merges)) if text else 0.0
