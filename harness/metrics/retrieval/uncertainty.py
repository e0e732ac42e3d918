"""How far a mean over queries would move with other queries. Not covered: the bootstrap (`harness.statistics`)."""

import math
from typing import Any

import numpy as np

from harness.statistics import Interval, bca_interval, percentile_interval

LEVEL = 0.95
FEW = 10  # queries below which resampling, which never leaves the values seen, covers too little of skewed ones
MANY = 50  # queries from which on BCa keeps its promise; see harness.statistics
ALIKE = 1e-12  # a spread that rounding makes: nDCGs of 1 differ in their last bits, and prove no certainty by it


def interval(
    values: np.ndarray[Any, np.dtype[np.float64]], *, rng: np.random.Generator, lowest: float = 0.0
) -> Interval:
    """A 95 % interval for the mean of values between `lowest` and 1, one a query, two or more.

    A bootstrap, but for two cases in which it would claim too much.
    Queries that all give the same value show it no spread, as if nothing could be otherwise. If fewer than a share p of
    all queries gave that value, n of them in a row would have had probability p^n: with 97.5 % confidence at least
    p = 0.025^(1/n) of them do, and the others may lie anywhere.
    Of fewer than ten queries the mean lies within (1 - lowest) · √(ln(2/0.05) / 2n), whatever the values.

    Source: Clopper and Pearson 1934, Biometrika 26(4), for n successes of n; Hoeffding 1963, Journal of the American
    Statistical Association 58(301), theorem 2.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        raise ValueError(f"values: expected two finite values or more, got {values}")
    mean, width = float(np.mean(values)), 1 - lowest
    if np.ptp(values) <= ALIKE:
        others = 1 - ((1 - LEVEL) / 2) ** (1 / n)
        return Interval(mean - others * (mean - lowest), mean + others * (1 - mean), LEVEL)
    if n < FEW:
        half = width * math.sqrt(math.log(2 / (1 - LEVEL)) / (2 * n))
        return Interval(max(lowest, mean - half), min(1.0, mean + half), LEVEL)
    return (bca_interval if n >= MANY else percentile_interval)(values, rng=rng, level=LEVEL)
