"""What decisions do to points and score."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from harness.errors import UsageError
from harness.gradebook.overrides import apply, counting, validate
from harness.records import Graded, Metric, Override, Status

NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


def decide(check: str | None, points: float | None, student: str = "student-01") -> Override:
    return Override(student, check, points, "", "instructor", NOON)


def test_points_replace_and_the_score_is_added_up_again_without_metrics_and_with_the_same_penalty(
    make_graded: Callable[..., Graded], make_metric: Callable[..., Metric]
) -> None:
    metric = make_metric(points=1.5, max_points=2.0)
    result = apply(make_graded(metrics={"m": metric}, penalty=0.5, score=2.0), [decide("table", 3.0)])
    assert [check.points for check in result.checks] == [1.0, 3.0]
    assert result.score == 1.0 + 3.0 - 0.5  # what a metric gave stands in its check already
    assert result.penalty == 0.5


def test_a_score_never_falls_below_zero(make_graded: Callable[..., Graded]) -> None:
    assert apply(make_graded(penalty=1.0, score=0.0), [decide("counts", 0.0)]).score == 0.0


def test_points_on_the_whole_are_the_score_whatever_the_checks_say(make_graded: Callable[..., Graded]) -> None:
    result = apply(make_graded(penalty=1.0), [decide("table", 3.0), decide(None, 7.0)])
    assert result.score == 7.0
    assert [check.points for check in result.checks] == [1.0, 3.0]


def test_points_on_a_check_do_not_make_a_mark_where_our_side_failed(make_graded: Callable[..., Graded]) -> None:
    broken = make_graded(status=Status.INFRASTRUCTURE, score=None)
    assert apply(broken, [decide("table", 3.0)]).score is None
    assert apply(broken, [decide(None, 3.0)]).score == 3.0


def test_what_was_given_is_capped_by_what_the_check_is_worth_now(make_graded: Callable[..., Graded]) -> None:
    result = apply(make_graded(), [decide("table", 40.0), decide("gone", 1.0)])
    assert [check.points for check in result.checks] == [1.0, 4.0]
    assert result.score == 5.0
    assert apply(make_graded(), [decide(None, 40.0)]).score == 8.0


def test_comments_and_decisions_on_others_change_nothing(make_graded: Callable[..., Graded]) -> None:
    graded = make_graded(score=0.123)  # not what its checks add up to
    assert apply(graded, [decide("table", None), decide("table", 3.0, student="student-02")]) == graded


def test_the_last_decision_on_a_check_counts_even_a_comment(make_graded: Callable[..., Graded]) -> None:
    history = [decide("table", 3.0), decide(None, 1.0), decide("table", None), decide("a", 1.0, student="alma")]
    assert counting(history) == (history[3], history[1], history[2])


def test_unknown_students_and_checks_are_named_with_those_there_are(make_graded: Callable[..., Graded]) -> None:
    results = [make_graded("alma"), make_graded("basil", checks=())]
    with pytest.raises(UsageError, match=r"no student 'nobody'.* Known students: alma, basil\."):
        validate(decide(None, 1.0, "nobody"), results)
    with pytest.raises(UsageError, match=r"no check 'tables'.* Known checks: counts, table\."):
        validate(decide("tables", 1.0, "alma"), results)
    with pytest.raises(UsageError, match=r"None was run: decide on the whole submission\."):
        validate(decide("table", 1.0, "basil"), results)


@pytest.mark.parametrize(("check", "most"), [("table", 4), (None, 8)])
@pytest.mark.parametrize("points", [-0.5, math.nan, math.inf, "above"])
def test_points_out_of_range_are_refused(
    check: str | None, most: float, points: float | str, make_graded: Callable[..., Graded]
) -> None:
    given = most + 0.5 if points == "above" else float(points)
    with pytest.raises(UsageError, match=f"from 0 to {most}"):
        validate(decide(check, given), [make_graded()])


@pytest.mark.parametrize(("check", "points"), [("table", 0.0), ("table", 4.0), (None, 8.0), ("table", None)])
def test_points_in_range_and_comments_are_accepted(
    check: str | None, points: float | None, make_graded: Callable[..., Graded]
) -> None:
    validate(decide(check, points), [make_graded()])
