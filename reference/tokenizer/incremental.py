"""Training of byte-level BPE, fast: counts are corrected where a merge changes them, not taken anew.

The twin of `train_bpe`, equal to it merge for merge. Not covered: text (see `pretokenization`), several processors.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from reference.checked import checked
from reference.values import at_least

NONE = -1  # no neighbour, or a symbol that was fused into the one before it

Pair = tuple[int, int]  # ids of symbols: 0 to 255 are the bytes, 256 + m is what merge m made


@checked
def train_bpe_incremental(chunks: Sequence[bytes], *, n_merges: int) -> list[tuple[bytes, bytes]]:
    """Learn the merges of `train_bpe`, and in the same order, ties included.

    All distinct chunks lie in one doubly linked list. A merge visits only the places where its pair stands; there the
    counts of the pairs that vanish and appear are corrected. A heap offers the most frequent pair: new pairs are pushed
    after the merge that made them, and can only become rarer; a count that has shrunk is corrected when it comes up.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2 (indexed and updated pair counts).
    Departs from it: a heap offers the most frequent pair (the authors' program: a pruned table); ties are decided as in
    `train_bpe`.

    Args:
        chunks: pre-tokens as UTF-8 bytes; pairs never cross a chunk boundary.
        n_merges: vocabulary size minus 256 byte tokens minus special tokens.
    Returns:
        Merges as (left, right); fewer than `n_merges` when no pair is left.
    Raises:
        ValueError: `n_merges` is negative.

    Cost: O(N log N) time, O(N) memory, for N bytes of distinct chunks: each fusion shortens the list by one symbol.

    >>> train_bpe_incremental([b"ab", b"ba"], n_merges=1)
    [(b'b', b'a')]
    """
    at_least("n_merges", n_merges, 0)
    corpus = _Corpus(chunks)
    merges: list[tuple[bytes, bytes]] = []
    while len(merges) < n_merges and (best := corpus.most_frequent()) is not None:
        merges.append((corpus.spelling[best[0]], corpus.spelling[best[1]]))
        corpus.fuse(best)
    return merges


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pair in the heap; the least one is the most frequent, of equals the greatest in bytes."""

    count: int
    spelling: tuple[bytes, bytes]
    pair: Pair

    def __lt__(self, other: "_Candidate") -> bool:
        return (self.count, self.spelling) > (other.count, other.spelling)


class _Corpus:
    """Distinct chunks as a linked list of symbols, with the count and the places of every adjacent pair."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        weights = Counter(chunks)
        self.spelling = [bytes([value]) for value in range(256)]
        self.symbol = [value for chunk in weights for value in chunk]
        self.weight = [count for chunk, count in weights.items() for _ in chunk]
        self.before: list[int] = []
        self.after: list[int] = []
        for chunk in weights:
            self._link(len(self.before), len(chunk))
        self.counts: defaultdict[Pair, int] = defaultdict(int)
        self.places: defaultdict[Pair, list[int]] = defaultdict(list)  # of the left symbol; may be out of date
        for place, following in enumerate(self.after):
            if following != NONE:
                self._appears(place, following)
        self.heap = [self._candidate(pair) for pair in self.counts]
        heapify(self.heap)

    def most_frequent(self) -> Pair | None:
        """The pair to fuse next, or None when no chunk has two symbols left."""
        while self.heap:
            candidate = heappop(self.heap)
            count = self.counts[candidate.pair]
            if count == candidate.count:
                return candidate.pair
            if count > 0:  # it has shrunk since; only the pass that finds a pair lets its count grow
                heappush(self.heap, self._candidate(candidate.pair))
        return None

    def fuse(self, pair: Pair) -> None:
        """Fuse `pair` wherever it stands, from left to right and without overlap.

        A new pair has the new symbol in it, so all its places are found here, in this one pass from left to right.
        """
        left, right = pair
        made = len(self.spelling)
        self.spelling.append(self.spelling[left] + self.spelling[right])
        found: set[Pair] = set()
        for place in self.places.pop(pair):  # ascending: all were found in one pass
            following = self.after[place]
            if self.symbol[place] == left and following != NONE and self.symbol[following] == right:
                self._fuse_at(place, following, made)
                found |= self._pairs_at(place)
        for one in found:
            if self.counts[one] > 0:
                heappush(self.heap, self._candidate(one))

    def _link(self, start: int, length: int) -> None:
        """Chain `length` places from `start` on; chunks are not linked to each other."""
        end = start + length
        self.before += [NONE, *range(start, end - 1)][:length]
        self.after += [*range(start + 1, end), NONE][-length:] if length else []

    def _candidate(self, pair: Pair) -> _Candidate:
        left, right = pair
        return _Candidate(self.counts[pair], (self.spelling[left], self.spelling[right]), pair)

    def _fuse_at(self, place: int, following: int, made: int) -> None:
        """Put the symbol `made` at `place`, take `following` out, and correct the counts around them."""
        previous, rest = self.before[place], self.after[following]
        self._vanishes(place, following)
        self._vanishes(previous, place)
        self._vanishes(following, rest)
        self.symbol[place], self.symbol[following] = made, NONE
        self.after[place] = rest
        if rest != NONE:
            self.before[rest] = place
        self._appears(previous, place)
        self._appears(place, rest)

    def _pairs_at(self, place: int) -> set[Pair]:
        """The pairs that the symbol at `place` is part of."""
        ends = [(self.before[place], place), (place, self.after[place])]
        return {(self.symbol[left], self.symbol[right]) for left, right in ends if NONE not in (left, right)}

    def _vanishes(self, left: int, right: int) -> None:
        if NONE not in (left, right):
            self.counts[self.symbol[left], self.symbol[right]] -= self.weight[left]

    def _appears(self, left: int, right: int) -> None:
        if NONE not in (left, right):
            pair = self.symbol[left], self.symbol[right]
            self.counts[pair] += self.weight[left]
            self.places[pair].append(left)
