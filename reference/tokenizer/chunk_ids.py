"""Ids of chunks, remembered: a few thousand words make up most of a text. Not covered: what the ids mean."""

from collections.abc import Mapping

from reference.tokenizer.encoding import heap_tokens

REMEMBERED = 16_384  # chunks; with those below about 4 MB, and of an English text nine chunks in ten
LONGEST = 32  # characters of a chunk worth remembering: longer ones hardly return, and would let memory grow


class ChunkIds:
    """Ids of one chunk after another; the first `REMEMBERED` different short ones are worked out once.

    It lives for one text, so that nothing stays behind.

    >>> ChunkIds({(b"u", b"g"): 0}, {b"h": 0, b"ug": 1})("hug")
    [0, 1]
    """

    def __init__(self, ranks: Mapping[tuple[bytes, bytes], int], ids: Mapping[bytes, int]) -> None:
        self._ranks = ranks
        self._ids = ids
        self._known: dict[str, list[int]] = {}

    def __call__(self, chunk: str) -> list[int]:
        known = self._known.get(chunk)
        if known is None:
            known = [self._ids[token] for token in heap_tokens(chunk.encode(), self._ranks)]
            if len(chunk) <= LONGEST and len(self._known) < REMEMBERED:
                self._known[chunk] = known
        return known
