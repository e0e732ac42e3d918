"""Ranks that differ only where intervals do. Not covered: where the intervals come from."""

from collections.abc import Sequence

import numpy as np

from harness.statistics.units import Interval


def shared_ranks(intervals: Sequence[Interval], *, higher_is_better: bool) -> list[int]:
    """Rank each entry: 1 + the number of entries whose interval lies wholly on the better side of its own.

    What cannot be separated shares a rank; intervals that touch are not separated. Sharing is no equivalence: where A
    overlaps B and B overlaps C, A and C may still be ranked apart. An end at infinity is one like others: who may be
    anywhere is behind nobody and shares the first rank, so that a board leaves out what could not be measured.

    Args:
        intervals: one an entry (the unit); none: no rank. An entry without a score has no interval and no rank: leave
            it out.
        higher_is_better: False where low values win.

    Cost: O(n log n) for n entries.

    >>> board = [Interval(0.7, 0.9, 0.95), Interval(0.6, 0.8, 0.95), Interval(0.5, 0.65, 0.95)]
    >>> shared_ranks(board, higher_is_better=True)
    [1, 1, 2]
    """
    if higher_is_better:  # mirrored, so that low is good
        best, worst = [-one.high for one in intervals], [-one.low for one in intervals]
    else:
        best, worst = [one.low for one in intervals], [one.high for one in intervals]
    ahead = np.searchsorted(np.sort(worst), best, side="left")  # entries whose worst is better than one's own best
    return [1 + int(count) for count in ahead]
