"""From blocks to a ratio, where the cost of each call is known."""

import numpy as np
import pytest

from harness.metrics.speed.blocks import Block, Spent
from harness.metrics.speed.estimate import estimate

NULL_S, WORK_S = 0.0005, 0.005


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def block(rng: np.random.Generator, *, ratio: float, dear: int = 0, burned_s: float = 0.0) -> Block:
    """Ten inputs of different sizes; `dear` calls of the submission cost five times as much, `burned_s` between."""
    works = rng.uniform(0.8, 1.2, size=10) * WORK_S
    factors = np.where(np.arange(10) < dear, 5.0, 1.0)
    calls = tuple(
        (Spent(1, NULL_S + factor * work, work), Spent(1, NULL_S + ratio * work, ratio * work))
        for work, factor in zip(works, factors, strict=True)
    )
    subject, baseline = (sum((pair[which] for pair in calls), Spent()) for which in (0, 1))
    charged = Spent(subject.calls, subject.cpu_s + burned_s, subject.wall_s)
    return Block(charged, baseline, Spent(10, 10 * NULL_S, 0.0), idle_cpu_s=burned_s, pairs=(), calls=calls)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 5.0])
def test_sizes_of_inputs_cancel(rng, ratio) -> None:
    found = estimate([block(rng, ratio=ratio) for _ in range(9)], "cpu")
    assert found.ratio == pytest.approx(ratio, rel=1e-9)


def test_a_few_dear_calls_do_not_move_the_ratio(rng) -> None:
    found = estimate([block(rng, ratio=1.0, dear=int(rng.integers(5))) for _ in range(9)], "cpu")
    assert found.ratio == pytest.approx(1.0, rel=1e-9)
    assert found.low < 1.0 < found.high


def test_what_is_burned_between_calls_is_paid_for(rng) -> None:
    found = estimate([block(rng, ratio=1.0, burned_s=10 * WORK_S) for _ in range(9)], "cpu")
    assert found.ratio == pytest.approx(0.5, rel=0.05)  # twice the work, spread evenly over inputs of unequal size
