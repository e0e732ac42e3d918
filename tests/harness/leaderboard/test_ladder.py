"""The Ladder: it moves by a step or not at all, and a rung tells nothing that a rung would not."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.leaderboard.ladder import Estimate, beats, ladder, ladder_of_pairs, rounded
from harness.records import Better

STEPS = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 7.0, 1e-6])
VALUES = st.floats(-50, 50)
DIRECTIONS = st.sampled_from(Better)


def at(value: float, width: float = 0.0) -> Estimate:
    return Estimate(value, value - width, value + width)


def told(values: list[float], step: float, better: Better) -> list[Estimate]:
    """What the board shows after each of `values`."""
    found = [ladder([at(value) for value in values[: n + 1]], step=step, better=better) for n in range(len(values))]
    return [estimate for estimate in found if estimate is not None]


@given(st.lists(VALUES, min_size=1, max_size=12), STEPS, DIRECTIONS)
def test_what_is_told_moves_by_a_step_or_not_at_all_and_only_to_the_better(
    values: list[float], step: float, better: Better
) -> None:
    for before, after in pairwise(told(values, step, better)):
        gain = before.value - after.value if better is Better.LOWER else after.value - before.value
        assert gain == 0 or gain > step * (1 - 1e-9)


@given(st.lists(VALUES, min_size=1, max_size=12), STEPS, DIRECTIONS)
def test_it_is_a_multiple_of_the_step_within_half_a_step_of_a_try_and_no_step_behind_the_best(
    values: list[float], step: float, better: Better
) -> None:
    last = told(values, step, better)[-1].value
    best = min(values) if better is Better.LOWER else max(values)
    assert math.isclose(last / step, round(last / step), abs_tol=1e-6)
    assert min(abs(last - value) for value in values) <= step / 2 * (1 + 1e-9)
    assert abs(last - best) <= step * (1 + 1e-9)


@given(st.lists(VALUES, min_size=1, max_size=8), VALUES, st.floats(0, 1), STEPS, DIRECTIONS)
def test_probing_below_the_step_changes_nothing(
    values: list[float], probe: float, share: float, step: float, better: Better
) -> None:
    """Whatever two tries reach that do not beat what is told by the step, the board is the same."""
    shown = told(values, step, better)[-1]
    sign = -1 if better is Better.LOWER else 1
    below = shown.value + sign * share * step * (1 - 1e-9)
    worse = shown.value - sign * abs(probe)
    boards = [ladder([*map(at, values), at(tried)], step=step, better=better) for tried in (below, worse)]
    assert boards == [shown, shown]


@given(VALUES, st.floats(0, 5), st.floats(0, 5), STEPS)
def test_the_interval_is_widened_to_the_steps_and_holds_what_is_told(
    value: float, down: float, up: float, step: float
) -> None:
    shown = rounded(Estimate(value, value - down, value + up), step)
    assert shown.low <= shown.value <= shown.high
    assert shown.low <= value - down
    assert shown.high >= value + up
    assert shown.high - shown.low <= (down + up) + 2 * step * (1 + 1e-9)


def test_decimal_steps_are_exact() -> None:
    """In binary, 2.30 / 0.01 is 229.99999999999997 and 0.3 - 0.2 is less than 0.1."""
    assert rounded(at(2.3), 0.01).value == 2.3
    assert rounded(Estimate(2.3, 2.3, 2.3), 0.01) == at(2.3)
    assert not beats(0.2, 0.3, step=0.1, better=Better.LOWER)
    assert beats(0.199, 0.3, step=0.1, better=Better.LOWER)


def test_before_the_first_try_there_is_nothing() -> None:
    assert ladder([], step=0.1, better=Better.LOWER) is None


@pytest.mark.parametrize("better", Better)
def test_a_hundred_noisy_reruns_of_one_model_hardly_move(better: Better) -> None:
    """Noise far below the step: without the Ladder the best of 100 would be shown."""
    values = [2.0 + 0.004 * math.sin(37 * i) for i in range(100)]
    assert {shown.value for shown in told(values, 0.01, better)} == {2.0}


@given(st.lists(VALUES, min_size=1, max_size=10), STEPS, DIRECTIONS)
def test_with_one_figure_the_ladder_of_pairs_is_the_ladder(values: list[float], step: float, better: Better) -> None:
    pairs = [(at(value), at(1.0)) for value in values]
    places = ladder_of_pairs(pairs, steps=(step, 0.0), betters=(better, Better.LOWER))
    shown = ladder([at(value) for value in values], step=step, better=better)
    assert [rounded(at(values[place]), step) for place in places] == [shown]


@given(st.lists(st.tuples(VALUES, VALUES), max_size=10), STEPS, st.sampled_from([0.0, 0.1, 1.0]))
def test_told_pairs_are_apart_by_a_step_in_one_figure(
    values: list[tuple[float, float]], first: float, second: float
) -> None:
    pairs = [(at(x), at(y)) for x, y in values]
    steps, betters = (first, second), (Better.LOWER, Better.HIGHER)
    places = ladder_of_pairs(pairs, steps=steps, betters=betters)
    assert bool(places) == bool(pairs)
    for i, j in pairwise(places):  # the newer one was worth showing beside the older
        old, new = ([rounded(one, step).value for one, step in zip(pairs[k], steps, strict=True)] for k in (i, j))
        assert old[0] - new[0] > first * (1 - 1e-9) or new[1] - old[1] > second * (1 - 1e-9)
        assert old[0] < new[0] or old[1] > new[1]  # and the older is still better in something
