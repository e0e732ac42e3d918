"""Geometry: every score in one bar, every value at its place, everything inside the drawing, no label on another."""

import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.records import Anchor, Better, Text
from reports.axes import Axis
from reports.figures import LABEL, STRIP_BASE, histogram, scale_figure, strip

SOME = st.floats(-1e3, 1e3) | st.floats(allow_nan=False, allow_infinity=False)
NAME = Text("ancre", "anchor")


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


def anchors(*values: float) -> tuple[Anchor, ...]:
    return tuple(Anchor(NAME, value, 0.0) for value in values)


@pytest.mark.parametrize(
    ("marks", "asked", "logarithmic"),
    [
        ((8.0, 3.1, 2.2), False, False),
        ((0.5, 1.0, 2.0), True, True),
        ((0.5, 1.0, 2.0), False, False),
        ((1.0, 10.0), False, True),
        ((0.0, 10.0), False, False),
        ((-1.0, 100.0), True, False),
    ],
)
def test_wide_spreads_are_logarithmic_too(marks: tuple[float, ...], asked: bool, logarithmic: bool) -> None:
    axis = Axis.over(marks, logarithmic=asked)

    assert axis.logarithmic == logarithmic
    low, high = min(marks), max(marks)
    middle = math.sqrt(low * high) if logarithmic else (low + high) / 2
    assert axis.at(middle) == pytest.approx(0.5)
    assert axis.at(low) == pytest.approx(1 - axis.at(high))


def test_what_lies_near_lengthens_the_axis_and_what_lies_far_is_clipped() -> None:
    near, far = (Axis.over((0.0, 10.0), others=[value]) for value in (12.0, 1000.0))

    assert near.shows(12.0)
    assert not far.shows(1000.0)
    assert far.shows(15.0)  # half the axis, not more: anchors stay apart
    assert (far.at(1000.0), far.at(math.inf), far.at(-math.inf)) == (1.0, 1.0, 0.0)
    assert Axis.over((1.0, 100.0), others=[0.0]).at(0.0) == 0.0  # no logarithm, so beyond the end


@given(st.lists(SOME, min_size=1, max_size=6), st.lists(st.floats(allow_nan=False), max_size=3), SOME)
def test_any_value_has_a_place_on_any_axis(marks: list[float], others: list[float], value: float) -> None:
    axis = Axis.over(marks, others=others)

    assert all(axis.shows(mark) for mark in marks)
    assert 0 <= axis.at(value) <= 1
    for less, more in pairwise(sorted([value, *marks])):
        assert axis.at(less) <= axis.at(more)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(SOME, max_size=9),
    numbers=st.tuples(st.floats(), st.floats(), st.floats()),
    better=st.sampled_from(Better),
    logarithmic=st.booleans(),
)
def test_a_scale_is_drawn_inside_and_no_label_lies_on_another(
    values: list[float],
    numbers: tuple[float, float, float],
    better: Better,
    logarithmic: bool,
    samples: SimpleNamespace,
) -> None:
    value, low, high = numbers
    metric = samples.metric(value, low=low, high=high, better=better, anchors=anchors(*values), logarithmic=logarithmic)
    drawn = scale_figure(metric, anchors(*values[:2]))

    assert (drawn is None) == (not values)
    if drawn is None:
        return
    assert len(drawn.labels) == len(values) + len(values[:2]) + (not math.isnan(value))
    for label in drawn.labels:
        assert drawn.top - 0.1 <= label.place <= drawn.bottom + 0.1
        assert 0 < label.y < drawn.height
    for above, below in pairwise(drawn.labels):
        assert below.y - above.y >= LABEL - 0.2
        assert below.place >= above.place
    assert (drawn.value_y is None) == math.isnan(value)
    for y in (drawn.value_y, *(drawn.interval or ())):
        assert y is None or drawn.top - 0.1 <= y <= drawn.bottom + 0.1


@pytest.mark.parametrize("better", Better)
def test_the_best_anchor_is_on_top_and_the_value_between_its_neighbours(
    better: Better, samples: SimpleNamespace
) -> None:
    values = (8.0, 3.1, 2.2) if better is Better.LOWER else (2.2, 3.1, 8.0)
    drawn = scale_figure(samples.metric(2.5, better=better, anchors=anchors(*values)), ())

    order = [None if label.anchor is None else label.anchor.value for label in drawn.labels]
    assert order == ([2.2, None, 3.1, 8.0] if better is Better.LOWER else [8.0, 3.1, None, 2.2])
    assert drawn.beyond == 0
    top, bottom = drawn.interval
    assert top < drawn.value_y < bottom


@pytest.mark.parametrize(
    ("value", "better", "beyond"),
    [(99.0, Better.LOWER, -1), (-99.0, Better.LOWER, 1), (math.inf, Better.HIGHER, 1), (2.6, Better.LOWER, 0)],
)
def test_a_value_far_off_points_beyond_its_end(
    value: float, better: Better, beyond: int, samples: SimpleNamespace
) -> None:
    values = (3.0, 2.0) if better is Better.LOWER else (2.0, 3.0)
    drawn = scale_figure(samples.metric(value, better=better, anchors=anchors(*values)), ())

    assert drawn.beyond == beyond
    assert {1: drawn.top, -1: drawn.bottom, 0: drawn.value_y}[beyond] == pytest.approx(drawn.value_y)


def test_an_interval_without_width_and_one_that_is_unknown_are_not_drawn(samples: SimpleNamespace) -> None:
    assert scale_figure(samples.metric(8.0, low=8.0, high=8.0), ()).interval is None
    assert scale_figure(samples.metric(8.0, low=math.nan), ()).interval is None
    assert scale_figure(samples.metric(8.0), ()).interval is not None


def test_anchors_close_together_have_the_digits_that_tell_them_apart(samples: SimpleNamespace) -> None:
    assert scale_figure(samples.metric(3.0), ()).digits == 4
    assert scale_figure(samples.metric(3.0, anchors=anchors(3.09999, 3.09998, 2.0)), ()).digits == 6
    assert scale_figure(samples.metric(3.0, anchors=anchors(3.0, 3.0)), ()).digits == 4


@given(st.lists(SOME, min_size=1, max_size=120))
@example([5e-324])
def test_every_dot_stands_on_the_line_at_its_value(values: list[float]) -> None:
    drawn = strip(values, (min(values),) * 3, anchors=anchors(*values, math.nan))

    assert len(drawn.dots) == len(values)
    assert len(set(drawn.dots)) == len(drawn.dots)
    for x, y in drawn.dots:
        assert 0 < x < drawn.width
        assert drawn.radius <= y + 0.1
        assert y <= STRIP_BASE - drawn.radius + 0.1
    assert drawn.low_x <= drawn.median_x <= drawn.high_x
    assert len(drawn.anchors_x) == len(values)


def test_dots_rise_with_their_values() -> None:
    drawn = strip([1.0, 2.0, 2.0, 10.0], (1.0, 2.0, 4.0), anchors=anchors(0.5, 5.0))

    xs = [x for x, _ in drawn.dots]
    assert xs == sorted(xs)
    assert xs[1] == xs[2]
    assert drawn.dots[2][1] < drawn.dots[1][1]
    assert len(drawn.anchors_x) == 1
