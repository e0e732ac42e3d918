"""Counting n-grams of characters with arrays of integers: the fast twin of `ngram_counts`, equal to it.

Covers strings only. Not covered: tokens that are not characters.
"""

from collections import Counter

import numpy as np
from jaxtyping import Int64

from reference.checked import checked
from reference.values import at_least

# A table with a cell for every possible code is faster than sorting the codes until it is this many times as long.
CELLS_PER_CODE = 16
MOST_CODES = 2**63 - 1  # that an int64 can tell apart


@checked
def character_ngram_counts(text: str, *, order: int) -> Counter[tuple[str, ...]]:
    """Count every run of `order` characters: what `ngram_counts` returns for a string, sooner.

    Every character becomes its rank among the V that occur. Then, one position at a time, the run so far and the next
    character make one integer, run · V + next; before that could exceed an int64, each run becomes its rank among those
    that occur. Characters are code points, lone surrogates included. A text of fewer than `order` characters has no
    n-gram.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.
    Departs from it: counts integers, for speed.

    Args:
        text: taken as it is, without boundaries.
        order: 1 or more.
    Returns:
        N-gram -> count, 1 or more, in the order of code points; equals `ngram_counts(text, order=order)`.
    Raises:
        ValueError: `order` is below 1.

    Cost: O(order · N) time and O(N) memory for N characters; O(order · N log N) time for large alphabets or orders.

    >>> character_ngram_counts("aaab", order=2)
    Counter({('a', 'a'): 2, ('a', 'b'): 1})
    >>> character_ngram_counts("", order=1)
    Counter()
    """
    at_least("order", order, 1)
    n_runs = len(text) - order + 1
    if n_runs < 1:
        return Counter()
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    characters = _ranks(points)  # (N,), from 0 to V - 1
    n_characters = int(characters.max()) + 1
    runs, n_codes = characters[:n_runs], n_characters  # every code is below n_codes
    for offset in range(1, order):
        if n_codes * n_characters > MOST_CODES:
            runs = _ranks(runs)
            n_codes = int(runs.max()) + 1
        runs = runs * n_characters + characters[offset : offset + n_runs]
        n_codes *= n_characters
    runs = _ranks(runs)
    counts = np.bincount(runs)
    starts = np.empty(len(counts), dtype=np.int64)
    starts[runs] = np.arange(n_runs)  # of any occurrence: all read the same
    return Counter(
        {
            tuple(text[start : start + order]): count
            for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
        }
    )


def _ranks(codes: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """The place of every code among the distinct ones, from the lowest, 0, to the highest."""
    n_cells = int(codes.max()) + 1
    if n_cells > CELLS_PER_CODE * len(codes):
        return np.unique(codes, return_inverse=True)[1].astype(np.int64)
    occurs = np.zeros(n_cells, dtype=np.int64)
    occurs[codes] = 1
    return np.take(np.cumsum(occurs) - 1, codes)
