"""The histogram's geometry: every score in one bar, every bar inside the drawing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.figures import histogram


def test_scores_fall_into_their_ranges_and_the_maximum_into_the_last() -> None:
    drawn = histogram([0, 1.99, 2, 20, 20], median=2, maximum=20)

    assert [bar.count for bar in drawn.bars] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert [tick.score for tick in drawn.ticks] == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]


@given(st.lists(st.floats(-5, 30), min_size=1, max_size=50), st.floats(-5, 30))
def test_everything_is_drawn_inside(scores: list[float], median: float) -> None:
    drawn = histogram(scores, median=median, maximum=20)

    assert sum(bar.count for bar in drawn.bars) == len(scores)
    for bar in drawn.bars:
        assert 0 <= bar.x < bar.x + bar.width <= drawn.width
        assert 0 < bar.y <= bar.y + bar.height <= drawn.axis_y + 0.1
    assert 0 < drawn.median_x < drawn.width


def test_heights_are_in_proportion() -> None:
    bars = histogram([1, 1, 1, 1, 11], median=1, maximum=20).bars

    assert bars[0].height == pytest.approx(4 * bars[5].height)
