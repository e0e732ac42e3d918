"""Exponents of growth: coverage under multiplicative noise, and the authority of SciPy's own fit."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics import Slope, fit_slope

NOISE = {
    "lognormal": lambda rng, s, r: 0.1 * rng.standard_normal((s, r)),
    "t3": lambda rng, s, r: 0.1 * rng.standard_t(3, size=(s, r)),
    "one-sided": lambda rng, s, r: 0.1 * rng.exponential(size=(s, r)),
    "shared": lambda rng, s, r: 0.1 * rng.standard_normal((s, r)) + 0.1 * rng.standard_normal((s, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize(("n_sizes", "repetitions"), [(5, 3), (6, 7)])
def test_intervals_cover(coverage, n_sizes, repetitions, kind) -> None:
    sizes = 100 * 2.0 ** np.arange(n_sizes)

    def experiment(rng: np.random.Generator) -> Slope:
        return fit_slope(sizes, 3e-6 * sizes[:, None] ** 1.5 * np.exp(NOISE[kind](rng, n_sizes, repetitions)))

    assert 0.93 <= coverage(experiment, 1.5) <= 0.97


def test_one_repetition_is_plain_regression() -> None:
    sizes = np.array([10.0, 30.0, 50.0, 200.0, 900.0])
    seconds = sizes**2 * np.array([1.1, 0.9, 1.0, 1.2, 0.8])
    expected = stats.linregress(np.log(sizes), np.log(seconds))
    margin = stats.t.ppf(0.95, 3) * expected.stderr
    found = fit_slope(sizes, seconds[:, None], level=0.9)
    assert (found.slope, found.low, found.high) == pytest.approx(
        (expected.slope, expected.slope - margin, expected.slope + margin)
    )


def test_repetitions_may_differ_in_number_and_one_may_go_wrong() -> None:
    sizes = 2.0 ** np.arange(6)
    found = fit_slope(sizes, [[size] * 3 if size < 10 else [size, size, size, size, 50 * size] for size in sizes])
    assert found.slope == pytest.approx(1.0)
    assert found.high - found.low < 1e-9


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    sizes = 2.0 ** np.arange(6)
    seconds = sizes[:, None] * rng.lognormal(sigma=0.1, size=(6, 3))
    first, second = fit_slope(sizes, seconds), fit_slope(8 * sizes, 1000 * seconds)
    assert (second.slope, second.low, second.high) == pytest.approx((first.slope, first.low, first.high))


FIVE = np.arange(1.0, 6.0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (FIVE[:4], FIVE[:4, None], "each of 5 units or more"),
        (np.array([1.0, 2.0, 2.0, 3.0, 4.0]), FIVE[:, None], "different sizes"),
        (FIVE - 1, FIVE[:, None], "above 0"),
        (FIVE, FIVE[:4, None], "for 5 sizes, got 4"),
        (FIVE, FIVE, "a repetition or more for size 1"),
        (FIVE, [[1.0], [], [1.0], [1.0], [1.0]], "a repetition or more for size 2"),
        (FIVE, FIVE[:, None] - 1, "values above 0 for size 1, got 0"),
        (FIVE, FIVE[:, None] * np.nan, "y of size 1: expected finite"),
    ],
)
def test_what_has_no_slope(x, y, message) -> None:
    with pytest.raises(ValueError, match=message):
        fit_slope(x, y)
