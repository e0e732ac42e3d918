"""E-values: their expectation, exactly; their false alarms and their power, on draws that they have not seen."""

import math

import numpy as np
import pytest
from scipy.stats import multinomial

from harness.statistics import detectable, largest_shift, log_e_value, shifted


@pytest.mark.parametrize("n", [1, 5, 12])
def test_the_expectation_of_the_e_value_is_one(n: int) -> None:
    p = np.array([0.7, 0.2, 0.1])
    total = 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            counts = np.array([a, b, n - a - b], dtype=float)
            total += multinomial.pmf(counts, n, p) * math.exp(log_e_value(counts, p))
    assert total == pytest.approx(1.0, rel=1e-9)


def test_a_shift_has_the_distance_it_says() -> None:
    p = np.array([0.6, 0.2, 0.1, 0.1])
    q = shifted(p, 0.15)
    assert q.sum() == pytest.approx(1.0)
    assert np.abs(q - p).sum() / 2 == pytest.approx(0.15)
    assert shifted(p, largest_shift(p)).min() >= -1e-12


def test_too_few_draws_detect_nothing() -> None:
    assert detectable([0.5, 0.5], 3) == 1.0


def test_a_sampler_of_one_outcome_has_no_departure_to_detect() -> None:
    assert detectable([1.0], 100) == 1.0


@pytest.mark.slow
def test_false_alarms_stay_below_the_bound() -> None:
    """5,000 right samples: the bound is Markov's, and the true rate stays well below it."""
    p = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
    samples = np.random.default_rng(5).multinomial(300, p, size=5000).astype(float)
    tables, repeats = np.unique(samples, axis=0, return_counts=True)
    log_e = np.array([log_e_value(table, p) for table in tables])
    for alpha in (0.05, 0.001):
        assert repeats[log_e >= -math.log(alpha)].sum() <= alpha * len(samples)


def test_what_is_detectable_is_detected_and_a_third_of_it_is_not() -> None:
    p = np.full(5, 0.2)
    distance = detectable(p.tolist(), 2000)
    rng = np.random.default_rng(11)
    found = [
        np.mean(
            [log_e_value(counts, p) >= math.log(1e7) for counts in rng.multinomial(2000, q, size=1000).astype(float)]
        )
        for q in (shifted(p, distance), shifted(p, distance / 3))
    ]
    assert found[0] >= 0.98  # 0.99 promised, less the error of two simulations of 1,000
    assert found[1] < 0.01
