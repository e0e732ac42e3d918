"""Intervals keep what they promise, by simulation; what they do with few, equal and broken values."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics import Interval, bca_interval, percentile_interval


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 20, 50])
def test_percentile_intervals_of_a_mean_cover(coverage, n) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return percentile_interval(rng.standard_normal(n), rng=rng, n_resamples=1000)

    assert 0.93 <= coverage(experiment, 0.0) <= 0.97


@pytest.mark.slow
def test_percentile_intervals_of_the_mean_of_five_cover_a_little_less(coverage) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return percentile_interval(rng.standard_normal(5), rng=rng, n_resamples=1000)

    assert 0.91 <= coverage(experiment, 0.0) <= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 50])
def test_percentile_intervals_of_a_median_cover(coverage, n) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return percentile_interval(rng.standard_normal(n), np.median, rng=rng, n_resamples=400)

    assert 0.93 <= coverage(experiment, 0.0) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "truth"),
    [(lambda rng: rng.standard_normal(50), 0.0), (lambda rng: rng.exponential(size=100), 1.0)],
    ids=["normal", "skewed"],
)
def test_bca_intervals_of_a_mean_cover(coverage, make, truth) -> None:
    assert 0.93 <= coverage(lambda rng: bca_interval(make(rng), rng=rng, n_resamples=400), truth) <= 0.97


def test_many_units_are_resampled_in_pieces() -> None:
    """Six million indices: three pieces; the interval is the normal one all the same."""
    values = np.random.default_rng(3).standard_normal(30_000)
    expected = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
    found = percentile_interval(values, rng=np.random.default_rng(1), n_resamples=200)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.4 * (expected[1] - expected[0]))


def test_of_many_normal_values_both_are_student_s_interval() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(400)
    expected = stats.t.interval(0.9, 399, loc=values.mean(), scale=stats.sem(values))
    width = expected[1] - expected[0]
    for interval in (percentile_interval, bca_interval):
        found = interval(values, rng=rng, level=0.9)
        assert found.level == 0.9
        assert abs(found.low - expected[0]) < 0.05 * width
        assert abs(found.high - expected[1]) < 0.05 * width


def test_five_blocks_get_a_wider_interval_than_plain_percentiles_give() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = percentile_interval(values, rng=np.random.default_rng(1))
    means = values[np.random.default_rng(1).integers(5, size=(10_000, 5))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.low < low < high < found.high


@pytest.mark.parametrize("interval", [percentile_interval, bca_interval])
def test_equal_values_leave_no_doubt(interval) -> None:
    assert interval(np.full(5, 2.5), rng=np.random.default_rng(1)) == Interval(2.5, 2.5, 0.95)


@pytest.mark.parametrize("interval", [percentile_interval, bca_interval])
@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        ([1.0], 0.95, "one value for each of 2 units or more"),
        ([[1.0, 2.0]], 0.95, "one value for each of 2 units or more"),
        ([1.0, np.nan], 0.95, "finite values, got nan"),
        ([1.0, 2.0], 1.0, "share between 0 and 1"),
    ],
)
def test_what_has_no_interval(interval, values, level, message) -> None:
    with pytest.raises(ValueError, match=message):
        interval(np.array(values), rng=np.random.default_rng(1), level=level)


def test_a_statistic_that_does_not_move() -> None:
    with pytest.raises(ValueError, match="use percentile_interval"):
        bca_interval(np.array([0.0] * 20 + [1.0]), np.median, rng=np.random.default_rng(1), n_resamples=200)


@pytest.mark.parametrize("n", [5, 60, 1000])
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_values_that_differ_by_rounding_are_equal(n, steps) -> None:
    """As perfect nDCGs do, 1 and 1 - 1e-16: leaving one out moves the mean by nothing, or by rounding alone."""
    values = np.ones(n)
    values[::7] -= steps * np.spacing(0.5)
    found = bca_interval(values, rng=np.random.default_rng(1))
    assert found.low == found.high == pytest.approx(1.0, abs=1e-14)


def test_values_that_differ_by_more_than_rounding_are_not() -> None:
    values = np.ones(60)
    values[::7] -= 1e-12
    found = bca_interval(values, rng=np.random.default_rng(1))
    assert found.low < values.mean() < found.high


@pytest.mark.parametrize("interval", [percentile_interval, bca_interval])
@pytest.mark.parametrize(("n", "level"), [(2, 0.95), (4, 0.95), (6, 0.99)])
def test_too_few_units_are_refused(interval, n, level) -> None:
    """What is resampled never leaves the range of the values, which holds the mean of four normal ones in 87.5 %."""
    with pytest.raises(ValueError, match=f"expected more units, got {n}, whose range holds the middle"):
        interval(np.arange(float(n)), rng=np.random.default_rng(1), level=level)
