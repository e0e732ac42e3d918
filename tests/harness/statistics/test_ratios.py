"""Bits over bytes: coverage for documents of unequal sizes, and what breaks sums."""

import numpy as np
import pytest

from harness.statistics import Interval, ratio_interval


def documents(rng: np.random.Generator, n: int, spread: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Bits and bytes; the true ratio of expectations is 2 (see `truth`)."""
    relative = np.exp(spread * rng.standard_normal(n))
    noise = rng.standard_normal(n)
    rates = {
        "same noise": 2 + 0.3 * noise,
        "long ones steadier": 2 + 0.3 * noise / np.sqrt(relative),
        "long ones easier": 2 - 0.1 * np.log(relative) + 0.3 * noise,
        "skewed": 1.7 + 0.3 * np.exp(0.7 * noise),
    }[kind]
    return 2000 * relative * rates, 2000 * relative


def truth(spread: float, kind: str) -> float:
    return {"long ones easier": 2 - 0.1 * spread**2, "skewed": 1.7 + 0.3 * np.exp(0.7**2 / 2)}.get(kind, 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["same noise", "long ones steadier", "long ones easier"])
@pytest.mark.parametrize("n", [8, 20, 50])
def test_intervals_cover(coverage, n, kind) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return ratio_interval(*documents(rng, n, 1.0, kind), rng=rng, n_resamples=400)

    assert 0.93 <= coverage(experiment, truth(1.0, kind)) <= 0.97


@pytest.mark.slow
def test_skewed_documents_of_skewed_sizes_cost_two_percent_at_most(coverage) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return ratio_interval(*documents(rng, 20, 1.0, "skewed"), rng=rng, n_resamples=400)

    assert 0.92 <= coverage(experiment, truth(1.0, "skewed")) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_few_documents_are_covered_by_student(coverage, n) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return ratio_interval(*documents(rng, n, 0.5, "same noise"), rng=rng)

    assert 0.93 <= coverage(experiment, 2.0) <= 0.97


@pytest.mark.parametrize("n", [5, 30])
def test_the_unit_of_measure_carries_over(n) -> None:
    bits, sizes = documents(np.random.default_rng(1), n, 1.0, "same noise")
    found = ratio_interval(bits, sizes, rng=np.random.default_rng(2))
    scaled = ratio_interval(3 * bits, 7 * sizes, rng=np.random.default_rng(2))
    assert (scaled.low, scaled.high) == pytest.approx((found.low * 3 / 7, found.high * 3 / 7))
    assert found.low < bits.sum() / sizes.sum() < found.high


@pytest.mark.parametrize("n", [2, 20])
def test_documents_of_one_rate_leave_no_doubt(n) -> None:
    sizes = np.arange(1.0, n + 1)
    found = ratio_interval(8 * sizes, sizes, rng=np.random.default_rng(1))
    assert found == Interval(8.0, 8.0, 0.95)


def test_one_document_unlike_all_others_leaves_a_finite_doubt() -> None:
    """A third of the resamples are without it: they have no spread to measure their departure in."""
    sizes = np.full(8, 100.0)
    bits = 2 * sizes
    bits[3] += 50
    found = ratio_interval(bits, sizes, rng=np.random.default_rng(1))
    assert 1.5 < found.low < bits.sum() / sizes.sum() < found.high < 2.5


def test_a_document_that_outweighs_all_others_leaves_more_doubt() -> None:
    bits, sizes = documents(np.random.default_rng(1), 10, 0.5, "same noise")
    even = ratio_interval(bits, sizes, rng=np.random.default_rng(2))
    factor = np.where(np.arange(10) == 0, 1000.0, 1.0)
    uneven = ratio_interval(bits * factor, sizes * factor, rng=np.random.default_rng(2))
    assert uneven.high - uneven.low > 2 * (even.high - even.low)


@pytest.mark.parametrize(
    ("bits", "sizes", "message"),
    [
        ([1.0], [1.0], "each of 2 units or more"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "the same units, got 2 and 3"),
        ([1.0, np.nan], [1.0, 2.0], "numerators: expected finite"),
        ([1.0, 2.0], [1.0, 0.0], "denominators: expected all above 0"),
        ([1.0, 2.0], [1.0, -1.0], "denominators: expected all above 0"),
        ([1.0, 2.0], [1.0, 1e13], "not lost beside the largest"),
    ],
)
def test_what_is_no_ratio(bits, sizes, message) -> None:
    with pytest.raises(ValueError, match=message):
        ratio_interval(np.array(bits), np.array(sizes), rng=np.random.default_rng(1))
