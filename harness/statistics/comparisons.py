"""Is one system better than another, and are several? Paired randomization over units, Holm over comparisons.

Not covered: how much better (`intervals`), ranks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import permutation_test

from harness.statistics.units import AT_ONCE, Array, hold_finite, hold_units

N_SWAPS = 100_000  # all sign changes of 16 units and fewer; beyond, p-values down to 1e-5 are told apart
ROUNDING = 1e-14  # relative: values of a unit that are closer are equal; sums of tens of terms differ by less


def paired_randomization(first: Array, second: Array, *, rng: np.random.Generator, n_resamples: int = N_SWAPS) -> float:
    """Two-sided p-value of "both systems are the same": how often a mean difference as large comes from chance.

    Under that hypothesis the two values of a unit could have been swapped. All 2^n swaps are tried where they are no
    more than `n_resamples`; else that many are drawn, and the observed one counts among them, so that the p-value is
    never 0 and a true hypothesis is rejected at most as often as promised. Values that differ by rounding are equal.

    Source: Fisher 1935, The Design of Experiments, section 21; Smucker, Allan and Carterette 2007, A Comparison of
    Statistical Significance Tests for Information Retrieval Evaluation. SciPy computes.

    Args:
        first: one value a unit, such as the nDCG of a query.
        second: of the other system on the same units, in the same order.
        rng: draws the swaps.
        n_resamples: how many at most.

    Raises:
        ValueError: no unit, other lengths, or a value or difference that is not finite.
    """
    first, second = hold_units("first", first, least=1), hold_units("second", second, least=1)
    if len(first) != len(second):
        raise ValueError(f"first and second: expected the same units, got {len(first)} and {len(second)}")
    differences = first - second
    hold_finite("first - second", differences)
    differences[np.abs(differences) <= ROUNDING * np.maximum(np.abs(first), np.abs(second))] = 0.0
    if not differences.any():
        return 1.0
    found = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=n_resamples,
        batch=max(1, AT_ONCE // len(differences)),
        vectorized=True,
        rng=rng,
    )
    return float(found.pvalue)


def holm(p_values: Array) -> Array:
    """Adjust p-values for being several: reject those at most alpha, and all are right with probability 1 - alpha.

    The i-th smallest of m becomes the largest of (m - j + 1) · p_(j) over j <= i, and 1 at most; ties share.

    Source: Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2).

    Args:
        p_values: of m comparisons, in any order and however they depend on each other; none: none.

    Returns:
        Adjusted p-values in the order that was given.

    Raises:
        ValueError: a p-value that is not between 0 and 1.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values: expected numbers from 0 to 1, got {p[~((p >= 0) & (p <= 1))][0]}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same units."""

    first: str
    second: str
    difference: float  # mean of the first less mean of the second, in the unit of their values
    p_value: float  # of this pair alone
    adjusted: float  # p-value that allows for all pairs compared together


def compare(
    systems: Mapping[str, Array], *, rng: np.random.Generator, n_resamples: int = N_SWAPS
) -> tuple[Comparison, ...]:
    """Compare all pairs of systems: paired randomization for each, Holm over all of them.

    Call those different whose `adjusted` is at most alpha: then the chance that any two equal systems are called
    different is at most alpha, whatever the others are.

    Source: Carterette 2012, Multiple Testing in Statistical Analysis of Systems-Based Information Retrieval
    Experiments, ACM Transactions on Information Systems 30(1). Departs from it: Holm's correction.

    Args:
        systems: name -> one value a unit (the nDCG of a query), the same units in the same order for all.
        rng: draws the swaps.
        n_resamples: how many at most for a pair.

    Returns:
        One a pair, in the order of `systems`; fewer than two systems: none.

    Raises:
        ValueError: as `paired_randomization`.
    """
    pairs = list(combinations(systems, 2))
    p_values = [
        paired_randomization(systems[first], systems[second], rng=rng, n_resamples=n_resamples)
        for first, second in pairs
    ]
    return tuple(
        Comparison(first, second, float(np.mean(systems[first]) - np.mean(systems[second])), p_value, float(adjusted))
        for (first, second), p_value, adjusted in zip(pairs, p_values, holm(np.array(p_values)), strict=True)
    )
