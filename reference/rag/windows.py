"""Windows of a fixed number of units (tokens, words, sentences) that overlap.

Covers words as units and any units whose offsets are given. Not covered: tokenizers (see `reference.tokenizer`).
"""

import re
from collections.abc import Sequence

from reference.checked import checked
from reference.rag.chunk import Chunk

Span = tuple[int, int]  # [start, end) in characters


@checked
def word_spans(text: str) -> list[Span]:
    """Find the words: the longest runs of characters that are not white space.

    White space is what Python's `str.split` drops, the no-break spaces of French included: "loup !" is two words
    whatever space stands there. Punctuation stays with its word. No word: an empty list.

    Source: Unicode Standard Annex #44 (property White_Space).
    Departs from it: the separators U+001C to U+001F count as white space, as in Python.

    Args:
        text: any text.
    Returns:
        The words' [start, end), from left to right.
    Raises:
        TypeError: a wrong type.

    Cost: O(N) for N characters.

    >>> word_spans(" Le loup,  là ")
    [(1, 3), (4, 9), (11, 13)]
    """
    return [found.span() for found in re.finditer(r"\S+", text)]


@checked
def window_chunks(text: str, spans: Sequence[Span], *, size: int, overlap: int = 0, source: str = "") -> list[Chunk]:
    """Cut `text` into windows of `size` units, each of which repeats the last `overlap` units of the one before.

    Window w holds units w·(size - overlap) to w·(size - overlap) + size, the end excluded; the first window that
    reaches the last unit is the last, and may be shorter. A chunk runs from its first unit's start to its last unit's
    end. So every unit lies in a chunk, no chunk lies within another's units, and what stands between two units (white
    space between words) is in a chunk if both are. No unit: no chunk.

    Units are tokens, words (`word_spans`) or sentences (`sentence_spans`). Tokens that are parts of one character, as
    in byte-level BPE, all have that character's span.

    Source: Lewis et al. 2020 (arXiv:2005.11401), section 3 (disjoint passages of 100 words).
    Departs from it: any units, and windows may overlap.

    Args:
        text: any text.
        spans: [start, end) of every unit; neither starts nor ends go back.
        size: units in a window, 1 or more.
        overlap: units that two neighbouring windows share, from 0 to `size` - 1.
        source: name that every chunk carries.
    Raises:
        ValueError: `size` or `overlap` is out of range, or spans are out of order or outside the text.

    Cost: O(U·size / (size - overlap) + N) for U units, N characters.

    >>> text = "un deux trois quatre cinq"
    >>> [chunk.text for chunk in window_chunks(text, word_spans(text), size=3, overlap=1)]
    ['un deux trois', 'trois quatre cinq']
    >>> [(chunk.start, chunk.end) for chunk in window_chunks(text, word_spans(text), size=2)]
    [(0, 7), (8, 20), (21, 25)]
    """
    if size < 1:
        raise ValueError(f"size: expected 1 or more, got {size}")
    if not 0 <= overlap < size:
        raise ValueError(f"overlap: expected 0 to size - 1 = {size - 1}, got {overlap}")
    _require_order(spans, len(text))
    chunks = []
    for first in range(0, max(len(spans) - overlap, min(len(spans), 1)), size - overlap):
        window = spans[first : first + size]
        start, end = window[0][0], window[-1][1]
        chunks.append(Chunk(text[start:end], start, end, source))
    return chunks


def _require_order(spans: Sequence[Span], length: int) -> None:
    before = (0, 0)
    for span in spans:
        start, end = span
        if not (before[0] <= start <= end <= length and before[1] <= end):
            raise ValueError(f"spans: expected [start, end) in order within 0 to {length}, got {span} after {before}")
        before = span
