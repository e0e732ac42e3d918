"""From text to ids and back: the grader's own tokenizers, and a student's, which is not believed.

Whatever the tokenizer, the text that its tokens stand for is put together here and must be the text, byte by byte.
Not covered: training a tokenizer.
"""

import re
from collections.abc import Sequence
from copy import copy
from itertools import accumulate, pairwise
from typing import Any, Protocol, Self

import numpy as np
import regex  # type: ignore[import-untyped, unused-ignore]

from harness.errors import ConfigurationError
from harness.metrics.contract import Asked
from harness.metrics.perplexity.refusals import refused

PIECES_PER_REQUEST = 4096  # ids decoded in one round trip
SHOWN = 40  # bytes of a difference


class Tokenizer(Protocol):
    """A lossless map between texts and ids from 0 to vocabulary_size - 1, with no memory."""

    vocabulary_size: int

    def encode(self, text: str) -> list[int]:
        """The ids of `text`."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""


class Bytes:
    """One id per UTF-8 byte, 256 of them.

    >>> Bytes().encode("é")
    [195, 169]
    """

    vocabulary_size = 256

    def encode(self, text: str) -> list[int]:
        """The bytes of `text`."""
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; what is no UTF-8 becomes U+FFFD."""
        return bytes(ids).decode("utf-8", "replace")


class Words:
    """One id per piece of a vocabulary, the longest that fits at each place: words, parts of words, characters.

    >>> Words(["the", " the", " cat"]).encode("the cat the")
    [0, 2, 1]
    """

    def __init__(self, vocabulary: Sequence[str | bytes]) -> None:
        """`vocabulary[id]` is what an id stands for, as text or in UTF-8.

        Raises:
            ConfigurationError: it is empty, or holds an empty or repeated piece.
        """
        self.pieces = tuple(piece.encode() if isinstance(piece, str) else piece for piece in vocabulary)
        self.vocabulary_size = len(self.pieces)
        self._ids = {piece: number for number, piece in enumerate(self.pieces)}
        if not self.pieces or b"" in self._ids or len(self._ids) < len(self.pieces):
            raise ConfigurationError("a vocabulary is empty or holds a piece twice", remedy="Give distinct pieces.")
        longest_first = sorted(self.pieces, key=len, reverse=True)
        self._reader = re.compile(b"|".join(map(re.escape, longest_first)), re.DOTALL)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`.

        Raises:
            ConfigurationError: it holds what the vocabulary does not.
        """
        data = text.encode()
        found = self._reader.findall(data)
        if sum(map(len, found)) != len(data):
            raise self._lacking(self._reader.sub(b"", data)[:SHOWN])
        return [self._ids[piece] for piece in found]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self.pieces[number] for number in ids).decode("utf-8", "replace")

    def _lacking(self, data: bytes) -> Exception:
        return ConfigurationError(
            f"a text holds what the vocabulary does not: {data!r}",
            remedy="Complete the vocabulary, or choose another text: every byte is scored.",
        )


class Characters(Words):
    """One id per character of an alphabet, in its order.

    >>> Characters("abc").encode("cab")
    [2, 0, 1]
    """

    def __init__(self, alphabet: str) -> None:
        """The id of a character is its place in `alphabet`."""
        super().__init__(list(alphabet))


class PrefixCode(Words):
    """A submission's own pieces, none of which begins another: texts read in one way only, so nobody is asked."""

    @classmethod
    def of(cls, pieces: Sequence[bytes]) -> Self | None:
        """None where `pieces` are no such code."""
        ordered = sorted(pieces)
        if not ordered or not ordered[0] or any(right.startswith(left) for left, right in pairwise(ordered)):
            return None
        return cls(pieces)

    def _lacking(self, data: bytes) -> Exception:
        return refused("lossy_tokenizer", expected=data, got=b"")


class BytePairs:
    """Byte-pair encoding by a vocabulary in order of creation, such as one that a student's code has trained.

    As long as two neighbours together are a piece, those whose piece has the lowest id are joined, leftmost first. So
    the grader encodes by itself, and the kernel does not see the text.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes; ids take the place of merge ranks.

    >>> BytePairs([*(bytes([number]) for number in range(256)), b"ab", b"abc"]).encode("abcab")
    [257, 256]
    """

    def __init__(self, vocabulary: Sequence[bytes], *, pattern: str | None = None) -> None:
        """`vocabulary[id]` is a piece; `pattern` (of the library `regex`) finds what is encoded alone, None: all.

        Raises:
            Refused: `vocabulary` holds something else than distinct bytes; it may be a student's.
        """
        if not isinstance(vocabulary, Sequence) or not all(isinstance(piece, bytes) and piece for piece in vocabulary):
            raise refused("not_pieces", got=type(vocabulary).__name__)
        self.pieces = tuple(vocabulary)
        self.vocabulary_size = len(self.pieces)
        self._ids = {piece: number for number, piece in enumerate(self.pieces)}
        if not self._ids or len(self._ids) < len(self.pieces):
            raise refused("not_pieces", got=f"{len(self.pieces)}, {len(self._ids)}")
        self._pattern = None if pattern is None else regex.compile(pattern)
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The ids of `text`.

        Raises:
            Refused: lossy_tokenizer, a byte is no piece.
        """
        chunks = [text] if self._pattern is None else self._pattern.findall(text)
        return [number for chunk in chunks for number in self._chunk(chunk)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self.pieces[number] for number in ids).decode("utf-8", "replace")

    def _chunk(self, chunk: str) -> list[int]:
        if chunk not in self._known:
            self._known[chunk] = self._merged([bytes([byte]) for byte in chunk.encode()])
        return self._known[chunk]

    def _merged(self, pieces: list[bytes]) -> list[int]:
        none = self.vocabulary_size
        while len(pieces) > 1:
            ids = [self._ids.get(left + right, none) for left, right in pairwise(pieces)]
            lowest = min(ids)
            if lowest == none:
                break
            at = ids.index(lowest)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        unknown = [piece for piece in pieces if piece not in self._ids]
        if unknown:
            raise refused("lossy_tokenizer", expected=unknown[0], got=b"")
        return [self._ids[piece] for piece in pieces]


class StudentTokenizer:
    """A submission's own `encode` and `decode`.

    `decode` is asked for the piece of each id alone, before any text is shown, and never again: what the pieces add up
    to decides. A `decode` that was asked later could remember the text and give it back for a single token.
    """

    def __init__(self, encode: Asked, decode: Asked, *, vocabulary_size: int) -> None:
        """`decode([id])` gives a str, or bytes where tokens are not whole characters."""
        self.vocabulary_size = vocabulary_size
        self.asked = encode
        self._decode = decode
        self.pieces: tuple[bytes, ...] = ()  # what each id stands for, once `prepare` has run

    def prepare(self) -> None:
        """Fetch the pieces."""
        answers: list[Any] = []
        for begin in range(0, self.vocabulary_size, PIECES_PER_REQUEST):
            end = min(begin + PIECES_PER_REQUEST, self.vocabulary_size)
            answers += self._decode.map([[number] for number in range(begin, end)])
        self.pieces = tuple(map(_piece, answers))

    def asking(self, encode: Asked) -> Self:
        """The same tokens, read by another `encode`."""
        other = copy(self)
        other.asked = encode
        return other

    def encode(self, text: str) -> list[int]:
        """The ids that the student's function gives.

        Raises:
            Refused: no ids, or ids that do not stand for `text`.
        """
        ids = self._ids(self.asked(text))
        found, expected = b"".join(self.pieces[number] for number in ids), text.encode()
        if found != expected:
            at = _first_difference(found, expected)
            raise refused("lossy_tokenizer", got=found[at : at + SHOWN], expected=expected[at : at + SHOWN])
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, from the pieces; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self.pieces[number] for number in ids).decode("utf-8", "replace")

    def starts(self, ids: Sequence[int]) -> dict[int, int]:
        """Where tokens begin, the end of the text included: place in its UTF-8 bytes -> index among `ids`."""
        places = accumulate((len(self.pieces[number]) for number in ids), initial=0)
        return {place: index for index, place in enumerate(places)}

    def _ids(self, answer: Any) -> list[int]:
        if type(answer).__module__ == "torch":
            answer = answer.numpy() if answer.dtype.is_floating_point is False else None
        if isinstance(answer, np.ndarray) and answer.ndim == 1 and answer.dtype.kind in "iu":
            answer = answer.tolist()
        if not isinstance(answer, list | tuple):
            raise refused("not_tokens", got=type(answer).__name__, last=self.vocabulary_size - 1)
        for number in answer:
            if type(number) is not int or not 0 <= number < len(self.pieces) or not self.pieces[number]:
                raise refused("not_tokens", got=repr(number)[:SHOWN], last=self.vocabulary_size - 1)
        return list(answer)


class AlreadyRead:
    """A submission's own tokens of texts that its `encode` has read; it is not asked again."""

    def __init__(self, tokenizer: StudentTokenizer, texts: Sequence[str]) -> None:
        """`texts` are all that will be read.

        Raises:
            Refused: no ids, or ids that do not stand for a text.
        """
        self.vocabulary_size = tokenizer.vocabulary_size
        self.decode = tokenizer.decode
        self.starts = tokenizer.starts
        self._ids = {text: tokenizer.encode(text) for text in dict.fromkeys(texts)}

    def encode(self, text: str) -> list[int]:
        """The ids that were given for `text`."""
        return self._ids[text]


def _piece(answer: Any) -> bytes:
    """The bytes of one token; none where `decode` gave no text, so that its use is a loss."""
    if isinstance(answer, str):
        return answer.encode("utf-8", "replace")
    return answer if isinstance(answer, bytes) else b""


def _first_difference(found: bytes, expected: bytes) -> int:
    shared = min(len(found), len(expected))
    unequal = np.frombuffer(found, np.uint8, shared) != np.frombuffer(expected, np.uint8, shared)
    return int(unequal.argmax()) if unequal.any() else shared
