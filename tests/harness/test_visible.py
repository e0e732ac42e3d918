"""Of hidden checks students see the outcome and tenths of points: nothing that their code could write a secret into."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import (
    Anchor,
    Better,
    Candidate,
    CheckResult,
    Fact,
    Graded,
    Metric,
    Outcome,
    Override,
    Seconds,
    Status,
    Text,
    Visibility,
)
from harness.visible import CATEGORIES, for_student

CANARY = "canary-7361"
TITLE = Text("Compter", "Counting")


def check(visibility: Visibility, outcome: Outcome = Outcome.FAILED) -> CheckResult:
    message = None if outcome is Outcome.PASSED else Text(CANARY, CANARY)
    return CheckResult(visibility.value, TITLE, visibility, 1.0, 2.0, outcome, message, CANARY, wall_s=0.25)


def metric(check: str) -> Metric:
    word = Text(CANARY, CANARY)
    scale, facts = (Anchor(word, 73.61, 1.0),), (Fact(word, CANARY),)
    return Metric(73.61, CANARY, 73.61, 73.61, 73.61, 73.61, 73.61, 4.0, check, word, Better.LOWER, scale, facts, word)


def measured(visibility: Visibility, points: float, max_points: float = 4.0) -> CheckResult:
    """A check that measured something, whose points are a share of those it is worth."""
    return replace(check(visibility, Outcome.PASSED), counterexample=None, points=points, max_points=max_points)


def graded(*checks: CheckResult, penalty: float = 0.0) -> Graded:
    when = datetime(2027, 1, 31, tzinfo=UTC)
    return Graded(
        candidate=Candidate("student-01", "n.ipynb", Path("n.ipynb"), None, "ab", when, 1),
        status=Status.MARKED,
        score=max(0.0, sum(check.points for check in checks) - penalty),
        max_score=4.0,
        late_s=0.0,
        penalty=penalty,
        checks=checks,
        metrics={},
        cells=(),
        notices=(),
        policy=(),
        output_truncated=False,
        seconds=Seconds(queued=0.1, started=0.2, executed=0.3, checked=1.5),
        peak_memory_bytes=1000,
        failure="a path of the instructor's",
    )


@pytest.mark.parametrize("after_due", [False, True])
@pytest.mark.parametrize("outcome", Outcome)
def test_a_hidden_check_tells_its_outcome_and_points_alone(outcome: Outcome, after_due: bool) -> None:
    seen = for_student(graded(check(Visibility.HIDDEN, outcome)), after_due=after_due, overrides=())
    assert CANARY not in repr(asdict(seen))
    (shown,) = seen.checks
    assert (shown.outcome, shown.points, shown.max_points, shown.title) == (outcome, 1.0, 2.0, TITLE)
    assert (shown.message is None) == (outcome is Outcome.PASSED)
    if shown.message:
        assert shown.message.fr.startswith(CATEGORIES[outcome].fr)
        assert shown.message.en.startswith(CATEGORIES[outcome].en)


def test_times_and_memory_do_not_tell_what_hidden_checks_did() -> None:
    seen = for_student(graded(check(Visibility.PUBLIC), check(Visibility.HIDDEN)), after_due=True, overrides=())
    assert seen.checks[1].wall_s == 0.0
    assert seen.seconds == Seconds(queued=0.1, started=0.2, executed=0.3, checked=0.25)
    assert seen.peak_memory_bytes == 0


def test_checks_held_back_open_on_the_due_date() -> None:
    result = graded(check(Visibility.AFTER_DUE))
    before, after = (for_student(result, after_due=due, overrides=()).checks[0] for due in (False, True))
    assert before.message is not None
    assert before.message.fr.endswith("Le détail sera visible après la date limite.")
    assert (before.counterexample, before.wall_s) == (None, 0.0)
    assert after == result.checks[0]


@pytest.mark.parametrize("after_due", [False, True])
def test_all_that_is_public_is_shown_but_our_own_failures(after_due: bool) -> None:
    result = graded(check(Visibility.PUBLIC), check(Visibility.PUBLIC, Outcome.PASSED))
    assert for_student(result, after_due=after_due, overrides=()) == replace(result, failure=None)


def test_every_outcome_but_passed_has_its_sentence_in_both_languages() -> None:
    assert set(CATEGORIES) == set(Outcome) - {Outcome.PASSED}
    assert all(text.fr and text.en and text.fr != text.en for text in CATEGORIES.values())


@pytest.mark.parametrize("visibility", [Visibility.HIDDEN, Visibility.AFTER_DUE])
def test_what_a_concealed_check_measured_is_not_told(visibility: Visibility) -> None:
    names = {"bits": visibility.value, "bits.tokens": visibility.value, "of no check": "gone"}
    result = graded(measured(visibility, 3.217), check(Visibility.PUBLIC, Outcome.PASSED))
    result = replace(result, metrics={name: metric(of) for name, of in names.items()})
    seen = for_student(result, after_due=False, overrides=())
    assert seen.metrics == {}
    assert "73.61" not in repr(asdict(seen))


def test_what_others_measured_is_told_whole_and_what_waits_for_the_due_date_after_it() -> None:
    metrics = {visibility.value: metric(visibility.value) for visibility in Visibility}
    result = replace(graded(*(measured(visibility, 3.217) for visibility in Visibility)), metrics=metrics)
    before, after = (for_student(result, after_due=due, overrides=()) for due in (False, True))
    assert before.metrics == {"public": metrics["public"]}
    assert after.metrics == {"public": metrics["public"], "after_due": metrics["after_due"]}
    assert [check.points for check in after.checks] == [3.217, 3.2, 3.217]


@pytest.mark.parametrize(
    ("points", "max_points", "shown"),
    [
        (0.0, 4.0, 0.0),
        (0.39, 4.0, 0.0),
        (0.4, 4.0, 0.4),
        (3.217, 4.0, 3.2),
        (3.9999, 4.0, 3.6),  # what is shown is never more than what counts
        (4.0, 4.0, 4.0),
        (0.7 * 3, 3.0, 2.1),  # float's own error takes no step away
        (0.1 + 0.2, 1.0, 0.3),
        (0.0, 0.0, 0.0),  # shown, and earns nothing
    ],
)
def test_points_of_a_concealed_check_come_in_tenths_rounded_down(
    points: float, max_points: float, shown: float
) -> None:
    seen = for_student(graded(measured(Visibility.HIDDEN, points, max_points)), after_due=True, overrides=())
    assert seen.checks[0].points == pytest.approx(shown, abs=1e-12)
    assert seen.score == pytest.approx(shown, abs=1e-12)


@given(st.integers(0, 9), st.tuples(*[st.floats(0.001, 0.999)] * 2), st.floats(0, 8), st.sampled_from([0.0, 1.0, 3.0]))
def test_two_results_in_the_same_tenth_look_the_same(
    tenth: int, within: tuple[float, float], late: float, open_: float
) -> None:
    """Also through score and penalty, of which neither tells more than the tenth."""

    def seen(part: float) -> Graded:
        checks = (measured(Visibility.PUBLIC, open_), measured(Visibility.HIDDEN, 4.0 * (tenth + part) / 10))
        points = sum(check.points for check in checks)
        penalty = min(points, late)  # as marking takes it off: never more than there is
        result = for_student(graded(*checks, penalty=penalty), after_due=False, overrides=())
        assert result.score is not None
        assert result.score <= points - penalty + 1e-9
        return result

    assert seen(within[0]) == seen(within[1])


def test_what_an_instructor_decided_is_shown_as_decided() -> None:
    one = Override("student-01", "hidden", 3.217, "", "instructor", datetime(2027, 2, 1, tzinfo=UTC))
    whole = replace(one, check=None, points=2.345)
    result = graded(measured(Visibility.HIDDEN, 3.217))
    decided = for_student(result, after_due=True, overrides=[one])
    assert (decided.checks[0].points, decided.score) == (3.217, 3.217)
    both = for_student(replace(result, score=2.345), after_due=True, overrides=[whole])
    assert (both.checks[0].points, both.score) == (3.2, 2.345)
    for other in (replace(one, student="student-02"), replace(one, points=None), replace(one, check="public")):
        assert for_student(result, after_due=True, overrides=[other]).score == 3.2


def test_no_mark_stays_no_mark() -> None:
    result = replace(graded(measured(Visibility.HIDDEN, 3.217)), score=None)
    assert for_student(result, after_due=True, overrides=()).score is None
