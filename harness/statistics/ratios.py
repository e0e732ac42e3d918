"""An interval for a ratio of sums over units of unequal size: bits over bytes, where the units are documents.

Not covered: the mean of the units' own ratios (`intervals`), which counts short documents as much as long ones.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from harness.statistics.units import LEVEL, N_RESAMPLES, Array, Interval, draws, hold_level, hold_units

RESAMPLED_FROM = 8  # units; with fewer, resampled errors scatter so much that intervals get two to five times as wide
MOST = 2.0  # times Student's quantile that a resampled one may be: beyond, intervals get wider and cover no more
TOO_SMALL = 1e-12  # of the largest denominator: beyond, float64 loses the smaller ones in the sum


def ratio_interval(
    numerators: Array,
    denominators: Array,
    *,
    rng: np.random.Generator,
    level: float = LEVEL,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """How far Σ numerators / Σ denominators would move with other units: bootstrap-t, widened for unequal sizes.

    Each resample's departure is measured in its own jackknife standard error, so that skew shows. The quantiles, twice
    Student's t(n - 1) at most, are widened by t(m - 1)/t(n - 1), with m = (Σ size)²/Σ size² the number of equal units
    that would weigh the same as these n. Below eight units Student's t(m - 1) itself stands in for the quantiles.

    95 % intervals cover, in 2,000 draws with 8, 20 and 50 units of lognormal sizes (spread of logarithms 0.5 or 1):
    93.7 to 96.2 % where the units' own ratios are normal, with a spread that falls with size or not; 92.8 to 95.0 %
    where their mean falls; 92.5 to 94.2 % where they are lognormal. With sizes spread by 1.5 (a fiftieth to fifty times
    the median), 90 to 98 %. With 2 to 7 units: 94 to 98 %, 90 to 95 % where ratios are lognormal.

    Source: Efron 1981, Nonparametric Standard Errors and Confidence Intervals, Canadian Journal of Statistics 9(2)
    (bootstrap-t). Departs from it: bound and widening are ours; without the latter, intervals covered 91 to 95 %.

    Args:
        numerators: one a unit, such as the bits that a document costs.
        denominators: one a unit, above 0, such as its bytes.
        rng: draws the resamples.
        level: share of repetitions that the interval is to cover.
        n_resamples: how many.

    Raises:
        ValueError: fewer than two units, other lengths, a value that is not finite, a denominator that is not above 0
            or that is lost beside the largest, or `level` not between 0 and 1.
    """
    numerators, denominators = _held(numerators, denominators)
    hold_level(level)
    n = len(numerators)
    ratio, error = (float(one) for one in _ratio_and_error(numerators, denominators))
    n_equal = denominators.sum() ** 2 / (denominators**2).sum()
    student = float(stdtrit(max(n_equal - 1, 1.0), (1 + level) / 2))
    if n < RESAMPLED_FROM or error == 0:
        return Interval(ratio - student * error, ratio + student * error, level)
    plain = stdtrit(n - 1, (1 + level) / 2)
    departures = []
    for drawn in draws(n, n_resamples, rng):
        resampled, errors = _ratio_and_error(numerators[drawn], denominators[drawn])
        with np.errstate(divide="ignore", invalid="ignore"):  # units drawn all alike have no error to measure in
            departures.append(np.nan_to_num((resampled - ratio) / errors, posinf=np.inf, neginf=-np.inf))
    bounded = np.clip(np.concatenate(departures), -MOST * plain, MOST * plain)
    low, high = np.quantile(bounded, [(1 - level) / 2, (1 + level) / 2]) * student / plain
    return Interval(float(ratio - high * error), float(ratio - low * error), level)


def _ratio_and_error(numerators: Array, denominators: Array) -> tuple[Any, Any]:
    """The ratio of sums over the last axis, and its jackknife standard error."""
    n = numerators.shape[-1]
    total = denominators.sum(axis=-1, keepdims=True)
    ratio = numerators.sum(axis=-1, keepdims=True) / total
    moved = (ratio * denominators - numerators) / (total - denominators)  # (..., n): without this unit, less with all
    return ratio[..., 0], np.sqrt((n - 1) * moved.var(axis=-1))


def _held(numerators: Array, denominators: Array) -> tuple[Array, Array]:
    above, below = hold_units("numerators", numerators, least=2), hold_units("denominators", denominators, least=2)
    if len(above) != len(below):
        raise ValueError(f"numerators and denominators: expected the same units, got {len(above)} and {len(below)}")
    if below.min() <= TOO_SMALL * below.max():
        raise ValueError(
            f"denominators: expected all above 0 and not lost beside the largest, {below.max()}, got {below.min()}"
        )
    return above, below
