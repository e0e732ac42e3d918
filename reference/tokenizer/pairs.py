"""What training and encoding share: adjacent pairs of symbols, the one to fuse next, and how it is fused.

Covers bytes and strings alike. Not covered: where symbols come from, and counting twice as fast (see `incremental`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import AnyStr

from reference.checked import checked
from reference.values import at_least


@checked
def count_pairs(words: Mapping[tuple[AnyStr, ...], int]) -> dict[tuple[AnyStr, AnyStr], int]:
    """Count adjacent pairs of symbols inside words, each place as often as its word occurs.

    Every place counts, so "aaa" has the pair ("a", "a") twice. Words of one symbol or none have no pair.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1, `get_stats`.

    Args:
        words: how often each sequence of symbols occurs.
    Returns:
        The pairs that occur, each with its count.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(N) for N symbols.

    >>> count_pairs({("h", "u", "g"): 10, ("p", "u", "g"): 5})
    {('h', 'u'): 10, ('u', 'g'): 15, ('p', 'u'): 5}
    """
    counts: Counter[tuple[AnyStr, AnyStr]] = Counter()
    for symbols, count in words.items():
        for pair in pairwise(symbols):
            counts[pair] += count
    return dict(counts)


@checked
def most_frequent_pair(counts: Mapping[tuple[AnyStr, AnyStr], int]) -> tuple[AnyStr, AnyStr] | None:
    """Choose the pair to fuse next.

    Ties: the lexicographically greatest pair wins; the left symbols are compared first, strings by code point and bytes
    by value, and a symbol is greater than its own beginnings.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1.
    Departs from it: ties are decided, not left to dictionary order.

    Args:
        counts: as `count_pairs` returns them.
    Returns:
        The pair, or None where there is none.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(P) for P pairs.

    >>> most_frequent_pair({("a", "z"): 7, ("ab", "a"): 7, ("z", "z"): 6})
    ('ab', 'a')
    """
    return max(counts, key=lambda pair: (counts[pair], pair), default=None)


@checked
def merge_pair(symbols: Sequence[AnyStr], pair: tuple[AnyStr, AnyStr]) -> list[AnyStr]:
    """Fuse every occurrence of a pair, from left to right and without overlap: "aaa" becomes "aa", "a".

    What has been fused is not looked at again, so a fused symbol is never part of another fusion.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1, `merge_vocab`.

    Args:
        symbols: in order; none gives none.
        pair: left and right symbol.
    Returns:
        The symbols after it, in order.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(N) for N symbols.

    >>> merge_pair(["a", "a", "a", "b"], ("a", "a"))
    ['aa', 'a', 'b']
    """
    return list(fuse(tuple(symbols), pair))


def fuse(symbols: tuple[AnyStr, ...], pair: tuple[AnyStr, AnyStr]) -> tuple[AnyStr, ...]:
    """What `merge_pair` returns, for loops over many words: types are not held.

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


@checked
def learn_merges(words: Mapping[tuple[AnyStr, ...], int], n_merges: int) -> list[tuple[AnyStr, AnyStr]]:
    """Repeat `n_merges` times: count pairs, take the most frequent one, fuse it in every word.

    Ties are decided as in `most_frequent_pair`. A pair that occurs once is still fused.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1.
    Departs from it: ties are decided; no end-of-word marker.

    Args:
        words: how often each sequence of symbols occurs; every symbol is a single letter or byte.
        n_merges: how many merges to learn.
    Returns:
        Merges as (left, right) in order of creation; fewer than `n_merges` when no pair is left.
    Raises:
        ValueError: `n_merges` is negative.

    Cost: O(M·N) time, O(N) memory, for M merges over N symbols.

    >>> learn_merges({("a", "b"): 2, ("b", "a"): 1}, n_merges=2)
    [('a', 'b'), ('b', 'a')]
    """
    at_least("n_merges", n_merges, 0)
    merges: list[tuple[AnyStr, AnyStr]] = []
    while len(merges) < n_merges and (best := most_frequent_pair(count_pairs(words))) is not None:
        words = {fuse(symbols, best): count for symbols, count in words.items()}
        merges.append(best)
    return merges
