"""The randomization test and Holm's correction, by simulation, by enumeration and against R's published values."""

from itertools import product

import numpy as np
import pytest

from harness.statistics import compare, holm, paired_randomization


def test_few_units_are_enumerated() -> None:
    """Of all 2^5 swaps, the share whose mean is at least as far from 0."""
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.1])
    swapped = [np.mean(differences * signs) for signs in product([1, -1], repeat=5)]
    expected = np.mean([abs(one) >= abs(differences.mean()) - 1e-12 for one in swapped])
    found = paired_randomization(differences, np.zeros(5), rng=np.random.default_rng(1))
    assert found == pytest.approx(expected, abs=1e-12)


def test_equal_systems() -> None:
    values = np.array([0.1, 0.5, 0.5])
    assert paired_randomization(values, values, rng=np.random.default_rng(1)) == 1.0


def test_systems_that_differ_by_rounding_are_equal() -> None:
    """0.1 + 0.2 is above 0.3 on every query, and no better for it."""
    first, second = np.full(10, 0.1 + 0.2), np.full(10, 0.3)
    assert (first > second).all()
    assert paired_randomization(first, second, rng=np.random.default_rng(1)) == 1.0


@pytest.mark.slow
def test_the_same_system_is_rejected_as_rarely_as_promised() -> None:
    """At 5 % of 2,000 draws: at most 5 % and four standard deviations more; and not useless: a shift is found."""
    rng = np.random.default_rng(6)
    same, other = [], []
    for draw in range(2000):
        unit, noise = rng.standard_normal(30), rng.standard_normal((2, 30))
        first, second = unit + noise
        same.append(paired_randomization(first[:12], second[:12], rng=rng, n_resamples=199))
        if draw % 4 == 0:
            other.append(paired_randomization(first + 1.5, second, rng=rng, n_resamples=199))
    assert np.mean(np.array(same) <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)
    assert np.mean(np.array(other) <= 0.05) > 0.99


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([], [], "one value for each of 1 units or more"),
        ([1.0], [1.0, 2.0], "the same units, got 1 and 2"),
        ([np.inf], [1.0], "finite values, got inf"),
    ],
)
def test_what_cannot_be_compared(first, second, message) -> None:
    with pytest.raises(ValueError, match=message):
        paired_randomization(np.array(first), np.array(second), rng=np.random.default_rng(1))


def systems(rng: np.random.Generator, shifts: list[float], *, n: int = 25) -> dict[str, np.ndarray]:
    """The same `n` queries for all, easy and hard ones, and noise of each system's own."""
    queries = rng.standard_normal(n)
    return {f"s{i}": queries + shift + rng.standard_normal(n) for i, shift in enumerate(shifts)}


@pytest.mark.slow
def test_of_three_equal_systems_hardly_one_is_called_different() -> None:
    """2,000 families of three true hypotheses: one rejected in at most 5 % and four standard deviations more."""
    rng = np.random.default_rng(8)
    families = [compare(systems(rng, [0.0, 0.0, 0.0], n=10), rng=rng, n_resamples=199) for _ in range(2000)]
    rejected = np.mean([min(one.adjusted for one in family) <= 0.05 for family in families])
    assert rejected <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.slow
def test_a_system_that_is_better_is_found_beside_two_equal_ones() -> None:
    """By 1.3 standard deviations of a difference over 25 queries; the equal pair is still called so."""
    rng = np.random.default_rng(8)
    families = [compare(systems(rng, [0.0, 0.0, 1.8]), rng=rng, n_resamples=199) for _ in range(500)]
    rejected = np.array([[one.adjusted <= 0.05 for one in family] for family in families])
    assert rejected[:, 0].mean() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 500)
    assert rejected[:, 1:].all(axis=1).mean() > 0.99


def test_pairs_come_in_order_with_their_differences() -> None:
    rng = np.random.default_rng(9)
    values = systems(rng, [0.0, 2.0, 0.1])
    found = compare(values, rng=np.random.default_rng(1))
    assert [(one.first, one.second) for one in found] == [("s0", "s1"), ("s0", "s2"), ("s1", "s2")]
    for one in found:
        assert one.difference == pytest.approx((values[one.first] - values[one.second]).mean())
    assert [one.adjusted for one in found] == holm(np.array([one.p_value for one in found])).tolist()
    assert compare({"alone": values["s0"]}, rng=rng) == ()


def test_a_shared_difficulty_of_queries_hides_nothing() -> None:
    """Paired: a small advantage on every one of very unequal queries is found."""
    rng = np.random.default_rng(10)
    queries = 100 * rng.standard_normal(30)
    found = compare({"a": queries + 1 + 0.1 * rng.standard_normal(30), "b": queries}, rng=rng)
    assert found[0].adjusted < 1e-4


def test_holm_is_r_s_p_adjust() -> None:
    """p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and of c(0.001, 0.5, 0.5, 0.02)."""
    assert holm(np.array([0.01, 0.02, 0.03, 0.04, 0.05])).tolist() == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm(np.array([0.001, 0.5, 0.5, 0.02])).tolist() == pytest.approx([0.004, 1.0, 1.0, 0.06])
    assert holm(np.array([])).tolist() == []


def test_holm_keeps_its_promise_over_many_families() -> None:
    """2,000 families of ten true hypotheses, dependent ones too: hardly more than 5 % have a rejection."""
    rng = np.random.default_rng(7)
    shared = rng.random((2000, 1))
    for p_values in (rng.random((2000, 10)), np.where(rng.random((2000, 10)) < 0.5, shared, rng.random((2000, 10)))):
        rejected = np.mean([holm(family).min() <= 0.05 for family in p_values])
        assert rejected <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_what_is_no_p_value(value) -> None:
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        holm(np.array([0.5, value]))
