"""What training and encoding share: adjacent pairs of symbols, and how one is fused.

Covers bytes and strings alike. Not covered: where symbols come from, and which pair is worth fusing twice as fast.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import AnyStr

from reference.values import at_least


def fuse(symbols: tuple[AnyStr, ...], pair: tuple[AnyStr, AnyStr]) -> tuple[AnyStr, ...]:
    """Fuse every occurrence of `pair`, from left to right and without overlap.

    >>> fuse(("a", "a", "a", "b"), ("a", "a"))
    ('aa', 'a', 'b')
    """
    left, right = pair
    fused: list[AnyStr] = []
    i = 0
    while i < len(symbols):
        found = i + 1 < len(symbols) and symbols[i] == left and symbols[i + 1] == right
        fused.append(left + right if found else symbols[i])
        i += 2 if found else 1
    return tuple(fused)


def learn_merges(words: Mapping[tuple[AnyStr, ...], int], n_merges: int) -> list[tuple[AnyStr, AnyStr]]:
    """Repeat `n_merges` times: count, take the most frequent pair (ties: the greatest), fuse it everywhere.

    `words` says how often each sequence of symbols occurs.

    >>> learn_merges({("a", "b"): 2, ("b", "a"): 1}, n_merges=2)
    [('a', 'b'), ('b', 'a')]
    """
    at_least("n_merges", n_merges, 0)
    merges: list[tuple[AnyStr, AnyStr]] = []
    while len(merges) < n_merges:
        counts = _count_pairs(words)
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        words = {fuse(symbols, best): count for symbols, count in words.items()}
        merges.append(best)
    return merges


def _count_pairs(words: Mapping[tuple[AnyStr, ...], int]) -> Counter[tuple[AnyStr, AnyStr]]:
    """Every position counts, so "aaa" has the pair (a, a) twice."""
    counts: Counter[tuple[AnyStr, AnyStr]] = Counter()
    for symbols, count in words.items():
        for pair in pairwise(symbols):
            counts[pair] += count
    return counts
