"""Intervals over queries: covered by simulation, honest where a bootstrap sees no spread."""

import numpy as np
import pytest

from harness.metrics.retrieval import measure
from harness.metrics.retrieval.uncertainty import interval
from harness.statistics import bca_interval, percentile_interval


@pytest.mark.parametrize(
    ("value", "n", "low", "high"),
    [
        (1.0, 10, 0.025**0.1, 1.0),
        (0.0, 10, 0.0, 1 - 0.025**0.1),
        (0.5, 2, 0.5 * 0.025**0.5, 0.5 * 0.025**0.5 + 1 - 0.025**0.5),
        (1.0, 200, 0.025**0.005, 1.0),
    ],
)
def test_queries_that_are_all_alike_do_not_prove_certainty(value, n, low, high):
    found = interval(np.full(n, value), rng=np.random.default_rng(1))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-15)


def test_rounding_is_no_spread():
    """Perfect rankings whose nDCGs differ in their last bits, which leave BCa without a correction."""
    values = np.ones(60)
    values[7] = np.nextafter(1, 0)
    found = interval(values, rng=np.random.default_rng(1))
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / 60), 1.0))


def test_values_that_hardly_differ_have_an_interval():
    for n in (10, 50, 200):
        for odd in (1e-11, 1e-6, 0.5):
            values = np.full(n, 0.5)
            values[0] += odd
            found = interval(values, rng=np.random.default_rng(1))
            assert 0.5 <= found.low <= values.mean() <= found.high <= 1


def test_few_queries_have_the_interval_that_holds_for_any_values():
    found = interval(np.array([0.25, 0.5, 0.75]), rng=np.random.default_rng(1))
    assert (found.low, found.high) == (0.0, 1.0)
    found = interval(np.linspace(0.4, 0.6, 9), rng=np.random.default_rng(1))
    half = np.sqrt(np.log(40) / 18)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
    found = interval(np.linspace(-0.1, 0.1, 9), rng=np.random.default_rng(1), lowest=-1.0)
    assert (found.low, found.high) == pytest.approx((-2 * half, 2 * half))


@pytest.mark.parametrize(("n", "method"), [(10, percentile_interval), (49, percentile_interval), (50, bca_interval)])
def test_the_bootstrap_fits_the_number_of_queries(n, method):
    values = np.random.default_rng(3).random(n) ** 3
    found = interval(values, rng=np.random.default_rng(1))
    assert found == method(values, rng=np.random.default_rng(1))


def test_differences_that_are_all_alike():
    found = interval(np.zeros(10), rng=np.random.default_rng(1), lowest=-1.0)
    assert (found.low, found.high) == pytest.approx((-(1 - 0.025**0.1), 1 - 0.025**0.1))


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan]])
def test_one_query_has_no_interval(values):
    with pytest.raises(ValueError, match="values: expected"):
        interval(np.array(values), rng=np.random.default_rng(1))


def test_a_perfect_run_over_few_queries_is_not_certain():
    task = {"documents": range(30), "queries": {0: "", 1: "", 2: ""}, "qrels": {q: {q: 1} for q in range(3)}}
    found = measure({q: [(q, 1.0)] for q in range(3)}, rng=np.random.default_rng(1), **task)
    assert found[0].value == found[0].high == 1.0
    assert found[0].low == pytest.approx(0.025 ** (1 / 3))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(2, 0.95), (5, 0.95), (9, 0.95), (10, 0.93), (25, 0.93), (50, 0.93)])
def test_intervals_cover_the_mean_of_skewed_values(n, least):
    """As reciprocal ranks are: mostly 0, 1, 1/2, 1/3, ..., 2,000 draws."""
    rng = np.random.default_rng(2)
    values, weights = np.r_[0, 1 / np.arange(1, 11)], np.r_[0.25, 0.4, np.full(9, 0.35 / 9)]
    covered = 0
    for _ in range(2000):
        found = interval(rng.choice(values, size=n, p=weights), rng=rng)
        covered += found.low <= values @ weights <= found.high
    assert least <= covered / 2000
    assert n < 10 or covered / 2000 <= 0.97
