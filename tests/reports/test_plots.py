"""Where marks of the leaderboard's figures go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.axes import Axis
from reports.plots import FOREST_WIDTH, SCATTER_HEIGHT, SCATTER_WIDTH, Ruler, forest, scatter

NUMBERS = st.floats(-1e6, 1e6)


def around(*values: float, width: float = 0.1) -> list[tuple[float, float, float]]:
    return [(value, value - width, value + width) for value in values]


@given(st.lists(st.tuples(NUMBERS, st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=12), NUMBERS)
def test_every_mark_is_in_the_picture_and_in_order(entries: list[tuple[float, float, float]], baseline: float) -> None:
    triples = [(value, value - down, value + up) for value, down, up in entries]
    drawn = forest(triples, (baseline, None))
    for mark in drawn.marks:
        assert 0 <= mark.low_x <= mark.x <= mark.high_x <= FOREST_WIDTH
    for (value, *_), mark in zip(triples, drawn.marks, strict=True):
        for (other, *_), theirs in zip(triples, drawn.marks, strict=True):
            assert value >= other or mark.x <= theirs.x
    assert drawn.lines[0] is not None
    assert 0 <= drawn.lines[0] <= FOREST_WIDTH
    assert drawn.lines[1] is None


def test_one_far_out_entry_does_not_press_the_others_together() -> None:
    drawn = forest(around(2.0, 2.1, 2.2, 2.3, 2.4, 900.0, -900.0), (2.0, 2.5))
    assert [mark.beyond for mark in drawn.marks] == [0, 0, 0, 0, 0, 1, -1]
    assert drawn.marks[4].x - drawn.marks[0].x > FOREST_WIDTH / 3
    assert (drawn.marks[5].x, drawn.marks[6].x) == (FOREST_WIDTH, 0)


@pytest.mark.parametrize("values", [[2.0], [0.0], [-3.0], [1e-12], [1e12], [2.0, 2.0, 2.0, 2.0, 2.0]])
def test_one_value_has_a_picture(values: list[float]) -> None:
    drawn = forest(around(*values, width=0.0), (None, None))
    assert all(0 < mark.x < FOREST_WIDTH for mark in drawn.marks)
    assert drawn.ruler.ticks


@pytest.mark.parametrize(
    ("marks", "logarithmic", "ticks"),
    [
        ([0.0, 10.0], False, [0, 2, 4, 6, 8, 10]),
        ([2.0, 3.0], False, [2, 2.2, 2.4, 2.6, 2.8, 3]),
        ([0.01, 10.0], False, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]),
        ([0.5, 4.0], True, [0.5, 1, 2]),
        ([1.0, 1.3], True, [1, 1.1, 1.2, 1.3]),
    ],
)
def test_ticks_are_round_numbers(marks: list[float], logarithmic: bool, ticks: list[float]) -> None:
    found = Ruler(Axis.over(marks, logarithmic=logarithmic), 0, 100).ticks
    assert [round(tick.value, 9) for tick in found] == ticks
    assert [tick.at for tick in found] == sorted(tick.at for tick in found)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=8), st.booleans())
def test_there_are_a_few_ticks_whatever_the_values(values: list[float], logarithmic: bool) -> None:
    ruler = Ruler(Axis.over(values, logarithmic=logarithmic), 0, 100)
    assert 1 <= len(ruler.ticks) <= 12
    assert all(0 <= tick.at <= 100 for tick in ruler.ticks)


def test_the_line_along_a_front_is_what_can_be_had() -> None:
    """Cheap is left: level until the next point is paid for. Where more is better across, the other way round."""
    cheap = scatter([(1.0, 1.0), (3.0, 2.0)], [], low_is_better=True)
    fast = scatter([(1.0, 2.0), (3.0, 1.0)], [], low_is_better=False)
    corners = [tuple(map(float, corner.split(","))) for corner in cheap.line.split()]
    assert [corner[0] for corner in corners] == [corners[0][0], corners[2][0], corners[2][0]]
    assert corners[1][1] == corners[0][1]
    corners = [tuple(map(float, corner.split(","))) for corner in fast.line.split()]
    assert (corners[1][0], corners[1][1]) == (corners[0][0], corners[2][1])


def test_points_of_the_front_are_numbered_and_drawn_last() -> None:
    rest = [(2.0, 1.0), (2.1, 0.9), (2.2, 0.8), (2.3, 0.7), (500.0, 0.6)]
    drawn = scatter([(1.0, 1.2), (1.5, 1.4)], rest, low_is_better=True)
    assert [dot.number for dot in drawn.dots] == [None, None, None, None, 1, 2]
    assert drawn.left_out == 1
    assert all(0 < dot.x < SCATTER_WIDTH and 0 < dot.y < SCATTER_HEIGHT for dot in drawn.dots)
    assert drawn.dots[4].y > drawn.dots[5].y  # better is higher up, and SVG counts downwards
