"""Of hidden checks students see the outcome, and nothing that their code could have written a secret into."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.records import (
    Candidate,
    CheckResult,
    Graded,
    Outcome,
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


def graded(*checks: CheckResult) -> Graded:
    when = datetime(2027, 1, 31, tzinfo=UTC)
    return Graded(
        candidate=Candidate("student-01", "n.ipynb", Path("n.ipynb"), None, "ab", when, 1),
        status=Status.MARKED,
        score=1.0,
        max_score=4.0,
        late_s=0.0,
        penalty=0.0,
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
    seen = for_student(graded(check(Visibility.HIDDEN, outcome)), after_due=after_due)
    assert CANARY not in repr(asdict(seen))
    (shown,) = seen.checks
    assert (shown.outcome, shown.points, shown.max_points, shown.title) == (outcome, 1.0, 2.0, TITLE)
    assert (shown.message is None) == (outcome is Outcome.PASSED)
    if shown.message:
        assert shown.message.fr.startswith(CATEGORIES[outcome].fr)
        assert shown.message.en.startswith(CATEGORIES[outcome].en)


def test_times_and_memory_do_not_tell_what_hidden_checks_did() -> None:
    seen = for_student(graded(check(Visibility.PUBLIC), check(Visibility.HIDDEN)), after_due=True)
    assert seen.checks[1].wall_s == 0.0
    assert seen.seconds == Seconds(queued=0.1, started=0.2, executed=0.3, checked=0.25)
    assert seen.peak_memory_bytes == 0


def test_checks_held_back_open_on_the_due_date() -> None:
    result = graded(check(Visibility.AFTER_DUE))
    before, after = (for_student(result, after_due=due).checks[0] for due in (False, True))
    assert before.message is not None
    assert before.message.fr.endswith("Le détail sera visible après la date limite.")
    assert (before.counterexample, before.wall_s) == (None, 0.0)
    assert after == result.checks[0]


@pytest.mark.parametrize("after_due", [False, True])
def test_all_that_is_public_is_shown_but_our_own_failures(after_due: bool) -> None:
    result = graded(check(Visibility.PUBLIC), check(Visibility.PUBLIC, Outcome.PASSED))
    assert for_student(result, after_due=after_due) == replace(result, failure=None)


def test_every_outcome_but_passed_has_its_sentence_in_both_languages() -> None:
    assert set(CATEGORIES) == set(Outcome) - {Outcome.PASSED}
    assert all(text.fr and text.en and text.fr != text.en for text in CATEGORIES.values())
