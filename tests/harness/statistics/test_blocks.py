"""Resampling blocks and their calls: where the promise holds, and how much too wide it is elsewhere."""

import numpy as np
import pytest

from harness.statistics import Interval, hierarchical_interval


def calls(rng: np.random.Generator, n: int, c: int, *, between: float, within: float) -> np.ndarray:
    return between * rng.standard_normal((n, 1)) + within * rng.standard_normal((n, c))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "within"), [(10, 0.2), (20, 0.2), (10, 1.0), (20, 1.0)])
def test_means_of_blocks_that_differ_are_covered(coverage, n, within) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return hierarchical_interval(calls(rng, n, 5, between=1, within=within), np.mean, rng=rng, n_resamples=400)

    assert 0.93 <= coverage(experiment, 0.0) <= 0.97


@pytest.mark.slow
def test_five_blocks_are_covered_a_little_less(coverage) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return hierarchical_interval(calls(rng, 5, 5, between=1, within=0.2), np.mean, rng=rng, n_resamples=400)

    assert 0.91 <= coverage(experiment, 0.0) <= 0.95


@pytest.mark.slow
def test_where_only_calls_differ_the_interval_is_too_wide(coverage) -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        return hierarchical_interval(calls(rng, 10, 5, between=0, within=1), np.mean, rng=rng, n_resamples=400)

    assert coverage(experiment, 0.0) > 0.98


def test_calls_are_resampled_and_blocks_too() -> None:
    """One call a block: the spread of blocks alone. Blocks that repeat each other: the spread of calls alone."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal(50)
    for blocks in (values[:, None], np.tile(values, (50, 1))):
        found = hierarchical_interval(blocks, np.mean, rng=rng)
        assert found.low < values.mean() < found.high
    alone = hierarchical_interval(values[:, None], np.mean, rng=rng)
    repeated = hierarchical_interval(np.tile(values, (50, 1)), np.mean, rng=rng)
    assert (repeated.high - repeated.low) * np.sqrt(50) == pytest.approx(alone.high - alone.low, rel=0.05)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([[1.0, 2.0]], "two blocks or more"),
        ([[1.0, 2.0], [1.0]], r"equally many calls in each, got \[2, 1\]"),
        ([[], []], "two blocks or more"),
        ([[1.0, 2.0]] * 4, "blocks: expected more units, got 4, whose range"),
        ([[1.0, np.nan]] * 5, "blocks: expected finite"),
    ],
)
def test_what_are_no_blocks(blocks, message) -> None:
    with pytest.raises(ValueError, match=message):
        hierarchical_interval(blocks, rng=np.random.default_rng(1))
