"""The Pareto front of two figures: what nobody beats in one without losing in the other.

Not covered: how sure either figure is; a front is of the values as they stand.
"""

import math
from collections.abc import Sequence
from operator import itemgetter

from harness.records import Better

Pair = tuple[float, float]


def dominated(points: Sequence[Pair], betters: tuple[Better, Better]) -> list[bool]:
    """For each point, whether another is at least as good in both figures and better in one.

    Equal points do not dominate each other. Values are finite. Cost: O(n log n).

    >>> dominated([(2.0, 5.0), (2.1, 3.0), (2.2, 4.0)], (Better.LOWER, Better.LOWER))
    [False, False, True]
    """
    placed = [(_rising(first, betters[0]), _rising(second, betters[1])) for first, second in points]
    verdicts = [False] * len(points)
    lowest = (-math.inf, math.inf)  # of those at least as good in the first figure: the best in the second
    for i in sorted(range(len(points)), key=placed.__getitem__):
        verdicts[i] = lowest[1] <= placed[i][1] and lowest != placed[i]
        lowest = min(lowest, placed[i], key=itemgetter(1))  # of equals the earlier, which is better in the first
    return verdicts


def _rising(value: float, better: Better) -> float:
    """Rises as the value gets worse."""
    return value if better is Better.LOWER else -value
