"""Shared ranks are the sentence of the protocol, entry by entry."""

import numpy as np
import pytest

from harness.statistics import Interval, shared_ranks


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_ranks_count_the_intervals_wholly_on_the_better_side(higher_is_better) -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        ends = np.sort(rng.integers(12, size=(9, 2)) / 4, axis=1)  # a coarse grid: many touch
        board = [Interval(low, high, 0.95) for low, high in ends.tolist()]
        expected = [
            1 + sum(other.low > one.high if higher_is_better else other.high < one.low for other in board)
            for one in board
        ]
        assert shared_ranks(board, higher_is_better=higher_is_better) == expected


def test_a_board_of_one_and_of_none() -> None:
    assert shared_ranks([], higher_is_better=True) == []
    assert shared_ranks([Interval(0.0, np.inf, 0.95)], higher_is_better=False) == [1]


def test_who_may_be_anywhere_is_behind_nobody() -> None:
    board = [Interval(0.8, 0.9, 0.95), Interval(-np.inf, np.inf, 0.95), Interval(-np.inf, 0.5, 0.95)]
    assert shared_ranks(board, higher_is_better=True) == [1, 1, 2]
    assert shared_ranks(board, higher_is_better=False) == [2, 1, 1]


def test_an_interval_that_is_none_is_never_ranked() -> None:
    for low, high in ((2.0, 1.0), (np.nan, 1.0), (0.0, np.nan)):
        with pytest.raises(ValueError, match="expected low <= high"):
            Interval(low, high, 0.95)
