"""From one chunk to its tokens by merges: as defined, and fast. Not covered: cutting text into chunks, ids."""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from reference.checked import checked
from reference.tokenizer.pairs import fuse

NONE = -1  # no neighbour


@checked
def encode_chunk(chunk: bytes, merges: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """Split a chunk into bytes and apply the merges in the order in which they were learned.

    Each merge fuses every occurrence of its pair, from left to right and without overlap. An empty chunk has no tokens.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes as in Radford et al. 2019 (GPT-2).

    Args:
        chunk: UTF-8 bytes of a pre-token; any bytes are allowed.
        merges: as `train_bpe` returns them.
    Returns:
        Tokens whose bytes together are the chunk.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(M·N) for M merges and N bytes.

    >>> encode_chunk(b"hugs", [(b"u", b"g"), (b"h", b"ug")])
    [b'hug', b's']
    """
    symbols = tuple(chunk[i : i + 1] for i in range(len(chunk)))
    for pair in merges:
        symbols = fuse(symbols, pair)
    return list(symbols)


@checked
def encode_chunk_heap(chunk: bytes, ranks: Mapping[tuple[bytes, bytes], int]) -> list[bytes]:
    """Find the tokens of `encode_chunk`, with a heap of the pairs that can be fused.

    The pair of lowest rank is fused first, of equal rank the leftmost. That is the order of `encode_chunk` where both
    sides of a merge are single bytes or made by merges of lower rank, as training and `Tokenizer` make sure.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes as in Radford et al. 2019 (GPT-2).
    Departs from it: a heap in place of a search among all pairs at each step.

    Args:
        chunk: UTF-8 bytes of a pre-token; any bytes are allowed.
        ranks: of each merge, its place in the order of learning.
    Returns:
        Tokens whose bytes together are the chunk.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(N log N) for N bytes.

    >>> encode_chunk_heap(b"hugs", {(b"u", b"g"): 0, (b"h", b"ug"): 1})
    [b'hug', b's']
    """
    return heap_tokens(chunk, ranks)


def heap_tokens(chunk: bytes, ranks: Mapping[tuple[bytes, bytes], int]) -> list[bytes]:
    """What `encode_chunk_heap` returns, for loops over a million chunks: types are not held."""
    n = len(chunk)
    symbols = [chunk[i : i + 1] for i in range(n)]  # one that was fused into the one before it is left empty
    before, after = list(range(-1, n - 1)), [*range(1, n), NONE]
    heap = [(ranks[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks]
    heapify(heap)
    while heap:
        rank, place = heappop(heap)
        following = after[place]
        if following == NONE or ranks.get((symbols[place], symbols[following])) != rank:
            continue  # one of the two was fused with another neighbour meanwhile
        symbols[place] += symbols[following]
        symbols[following] = b""
        after[place] = rest = after[following]
        if rest != NONE:
            before[rest] = place
        for left, right in ((before[place], place), (place, rest)):
            if NONE not in (left, right) and (pair := (symbols[left], symbols[right])) in ranks:
                heappush(heap, (ranks[pair], left))
    return [symbol for symbol in symbols if symbol]
