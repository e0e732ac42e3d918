"""The interval of a median: its coverage for few units, its ends by hand, its invariances."""

from itertools import pairwise

import numpy as np
import pytest

from harness.statistics import Interval, median_interval

SHAPES = {
    "normal": (lambda rng, n: rng.standard_normal(n), 0.0),
    "t3": (lambda rng, n: rng.standard_t(3, size=n), 0.0),
    "lognormal": (lambda rng, n: rng.lognormal(size=n), 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [*range(5, 16), 20, 31])
def test_intervals_cover(coverage, n, shape) -> None:
    make, median = SHAPES[shape]
    assert 0.93 <= coverage(lambda rng: median_interval(make(rng, n)), median) <= 0.97


@pytest.mark.slow
def test_other_levels_cover_too(coverage) -> None:
    found = coverage(lambda rng: median_interval(rng.standard_normal(9), level=0.8), 0.0)
    assert 0.78 <= found <= 0.82


def test_six_values_by_hand() -> None:
    """The range covers 31/32, the next pair 25/32: a tenth of the way in probability, 1/3 of it by the rule."""
    values = np.array([0.0, 10.0, 11.0, 12.0, 13.0, 23.0])
    along = (31 / 32 - 0.95) / (31 / 32 - 25 / 32)
    weight = 5 * along / (1 + 4 * along)
    found = median_interval(values)
    assert (found.low, found.high) == pytest.approx((10 * weight, 23 - 10 * weight))


def test_of_five_values_the_range_is_widened_a_little() -> None:
    """By 4 % at each end, which leaves two humps, and any other shape, with 93.75 % at least."""
    found = median_interval(np.array([3.0, 1.0, 11.0, 4.0, 5.0]))
    assert (found.low, found.high) == pytest.approx((0.6, 11.4))


def test_where_a_level_is_reached_exactly_the_ends_are_values() -> None:
    assert median_interval(np.arange(6.0), level=25 / 32) == Interval(1.0, 4.0, 25 / 32)


def test_lower_levels_lie_within_higher_ones() -> None:
    values = np.random.default_rng(0).standard_normal(12)
    found = [median_interval(values, level=level) for level in (0.01, 0.3, 0.5, 0.9, 0.95, 0.99)]
    assert all(outer.low <= inner.low <= inner.high <= outer.high for inner, outer in pairwise(found))
    assert found[0].low <= np.median(values) <= found[0].high


def test_order_scale_and_sign_carry_over() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(7)
    found, turned = median_interval(values), median_interval(1 - 2 * rng.permutation(values))
    assert (turned.low, turned.high) == pytest.approx((1 - 2 * found.high, 1 - 2 * found.low))


def test_one_wild_block_of_seven_hardly_matters() -> None:
    calm = np.array([0.9, 0.95, 1.0, 1.0, 1.05, 1.1, 1.2])
    wild = np.array([*calm[:-1], 1000.0])
    assert median_interval(calm).low == median_interval(wild).low
    assert median_interval(wild).high < 400


def test_four_units_are_too_few() -> None:
    with pytest.raises(ValueError, match=r"more units, got 4, whose range holds the middle with probability 0\.875"):
        median_interval(np.arange(4.0))
    with pytest.raises(ValueError, match="got 5"):
        median_interval(np.arange(5.0), level=0.99)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 4.0, np.inf], [[1.0] * 5]])
def test_what_has_no_interval(values) -> None:
    with pytest.raises(ValueError, match="values: expected"):
        median_interval(np.array(values))
