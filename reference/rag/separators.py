"""Cutting at the coarsest separator that serves, recursively: paragraphs, then lines, then words, then characters.

Not covered: separators as regular expressions; stripping white space.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reference.checked import checked
from reference.rag.chunk import Chunk

SEPARATORS = ("\n\n", "\n", " ", "")  # from coarse to fine; "" cuts between any two characters


@checked
def recursive_chunks(
    text: str,
    *,
    size: int,
    overlap: int = 0,
    separators: Sequence[str] = SEPARATORS,
    length: Callable[[str], int] = len,
    source: str = "",
) -> list[Chunk]:
    """Cut `text` into chunks of at most `size`, at separators as coarse as possible.

    1. Of `separators`, the first one that occurs in the text cuts it into pieces, from left to right; each piece keeps
       the separator at its end. "" occurs everywhere: every character is a piece.
    2. Pieces of at most `size` join, in order, as long as the sum of their lengths is at most `size`. The next chunk
       starts with as many last pieces of the one before as their sum is at most `overlap` and leaves room for the new
       piece; with an `overlap` of 0 with none, not even one of length 0.
    3. A longer piece goes through 1 and 2 by itself with the finer separators that remain; nothing joins or overlaps
       across it. With no finer separator, it is a chunk as it is, longer than `size`.

    Chunks in order cover the whole text; without overlap they partition it. An empty text has no chunk.

    Source: Salton, Allan and Buckley 1993, SIGIR (passages from sections, paragraphs and sentences).
    Departs from it: a list of separators stands for the structure; small neighbours are joined.

    Args:
        text: any text.
        size: largest length of a chunk, 1 or more.
        overlap: largest length that two neighbouring chunks share, from 0 to `size` - 1.
        separators: from coarse to fine, at least one; what follows "" changes nothing.
        length: the length of a piece, 0 or more, such as its number of characters or of tokens. It is summed over
            pieces: for tokens that could merge across a cut, the sum is an upper bound of the chunk's own length.
        source: name that every chunk carries.
    Raises:
        ValueError: `size` or `overlap` is out of range, there is no separator, or a length is negative.

    Cost: O(N·S) for N characters and S separators, and one call of `length` per piece.

    >>> [chunk.text for chunk in recursive_chunks("un deux\\ntrois\\n\\nquatre", size=9)]
    ['un deux\\n', 'trois\\n\\n', 'quatre']
    >>> [chunk.text for chunk in recursive_chunks("a b c d", size=4, overlap=2)]
    ['a b ', 'b c ', 'c d']
    >>> [chunk.text for chunk in recursive_chunks("abcdef gh", size=3, separators=[" "])]        # no finer cut
    ['abcdef ', 'gh']
    """
    if size < 1:
        raise ValueError(f"size: expected 1 or more, got {size}")
    if not 0 <= overlap < size:
        raise ValueError(f"overlap: expected 0 to size - 1 = {size - 1}, got {overlap}")
    if not separators:
        raise ValueError("separators: expected at least one, got none")
    splitter = _Splitter(size, overlap, length)
    return [Chunk(text[start:end], start, end, source) for start, end in splitter.cut(text, separators)]


Span = tuple[int, int]  # [start, end) in characters


@dataclass(frozen=True)
class _Splitter:
    size: int
    overlap: int
    length: Callable[[str], int]

    def cut(self, text: str, separators: Sequence[str]) -> Iterator[Span]:
        """Yield the spans of the chunks of `text`."""
        levels = [self.parts(text, 0, separators)]  # a stack, since there may be more separators than Python recurses
        while levels:
            for start, end, finer in levels[-1]:
                if finer:
                    levels.append(self.parts(text[start:end], start, finer))
                    break
                yield start, end
            else:
                levels.pop()

    def parts(self, text: str, offset: int, separators: Sequence[str]) -> Iterator[tuple[int, int, Sequence[str]]]:
        """Yield chunks of `text`, which starts at `offset` of the whole, and pieces still to cut."""
        chosen = next((i for i, separator in enumerate(separators) if separator in text), len(separators) - 1)
        finer = separators[chosen + 1 :]
        small: list[tuple[int, int, int]] = []  # start, end, length
        for start, end in _pieces(text, separators[chosen]):
            measure = self.measure(text[start:end])
            if measure <= self.size:
                small.append((offset + start, offset + end, measure))
                continue
            yield from ((*span, ()) for span in self.join(small))
            small = []
            yield offset + start, offset + end, finer
        yield from ((*span, ()) for span in self.join(small))

    def join(self, pieces: list[tuple[int, int, int]]) -> Iterator[Span]:
        """Yield the spans of the longest runs of pieces whose lengths sum to at most `size`."""
        first = total = 0
        for last, (_, _, measure) in enumerate(pieces):
            if total + measure > self.size:
                yield pieces[first][0], pieces[last - 1][1]
                while first < last and (not self.overlap or total > self.overlap or total + measure > self.size):
                    total -= pieces[first][2]
                    first += 1
            total += measure
        if pieces:
            yield pieces[first][0], pieces[-1][1]

    def measure(self, piece: str) -> int:
        value = self.length(piece)
        if value < 0:
            raise ValueError(f"length of {piece!r}: expected 0 or more, got {value}")
        return value


def _pieces(text: str, separator: str) -> Iterator[Span]:
    """Yield the spans of what `separator` cuts `text` into, each with its separator at the end."""
    start = 0
    while start < len(text):
        found = text.find(separator, start) if separator else start
        end = len(text) if found < 0 else found + max(len(separator), 1)
        yield start, end
        start = end
