"""What goes into a gradebook comes out of it, and what counts is what was decided last."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.errors import GradebookError, UsageError
from harness.gradebook import Gradebook
from harness.records import (
    Anchor,
    Better,
    Candidate,
    CellRun,
    CheckResult,
    Fact,
    Graded,
    Metric,
    Notice,
    Outcome,
    Override,
    RunInfo,
    Seconds,
    Status,
    StudentError,
    Text,
    Visibility,
)

NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
RUN_NUMBERS = count(1)

words = st.text(st.characters(exclude_categories=()), max_size=12)  # NUL and lone surrogates too
integers = st.integers(-(2**63), 2**63 - 1)
bits = st.just("bits:7ff8000000000000")  # text that looks like a stored NaN
times = st.datetimes(timezones=st.just(UTC))
maybe = st.none
texts = st.builds(Text, fr=words, en=words)
outcomes = st.sampled_from(Outcome)
notices = st.builds(Notice, code=words, text=texts, cell=maybe() | integers, line=maybe() | integers)
errors = st.builds(
    StudentError,
    name=words,
    message=words,
    traceback=st.lists(words, max_size=3).map(tuple),
    cell=maybe() | integers,
    line=maybe() | integers,
)
cells = st.builds(CellRun, cell=integers, outcome=outcomes, wall_s=st.floats(), error=maybe() | errors, output=words)
checks = st.builds(
    CheckResult,
    id=words,
    title=texts,
    visibility=st.sampled_from(Visibility),
    points=st.floats(),
    max_points=st.floats(),
    outcome=outcomes,
    message=maybe() | texts,
    counterexample=maybe() | words,
    wall_s=st.floats(),
)
metrics = st.builds(
    Metric,
    value=st.floats(),
    unit=words,
    low=st.floats(),
    high=st.floats(),
    baseline=maybe() | st.floats(),
    oracle=maybe() | st.floats(),
    points=st.floats(),
    max_points=st.floats(),
    check=words,
    title=texts,
    better=st.sampled_from(Better),
    anchors=st.lists(st.builds(Anchor, name=texts, value=st.floats(), share=st.floats()), max_size=3).map(tuple),
    facts=st.lists(st.builds(Fact, name=texts, value=st.floats() | words | bits | texts, unit=words), max_size=3).map(
        tuple
    ),
    quarantine=maybe() | texts,
    timed=st.booleans(),
    logarithmic=st.booleans(),
)
candidates = st.builds(
    Candidate,
    student=words,
    notebook=words,
    location=words.map(Path),
    member=maybe() | words,
    sha256=words,
    submitted_at=times,
    attempt=integers,
    extras=st.lists(words, max_size=3).map(tuple),
)
results = st.builds(
    Graded,
    candidate=candidates,
    status=st.sampled_from(Status),
    score=maybe() | st.floats(),
    max_score=st.floats(),
    late_s=st.floats(),
    penalty=st.floats(),
    checks=st.lists(checks, max_size=3).map(tuple),
    metrics=st.dictionaries(words, metrics, max_size=3),
    cells=st.lists(cells, max_size=3).map(tuple),
    notices=st.lists(notices, max_size=3).map(tuple),
    policy=st.lists(notices, max_size=3).map(tuple),
    output_truncated=st.booleans(),
    seconds=st.builds(Seconds, st.floats(), st.floats(), st.floats(), st.floats()),
    peak_memory_bytes=integers,
    failure=maybe() | words,
)
infos = st.builds(
    RunInfo,
    id=words,
    course=words,
    assignment=words,
    title=texts,
    seed=st.integers() | st.just(10**5000),
    seed_id=words,
    started=times,
    bareme_version=words,
    environment=st.dictionaries(words, words, max_size=3),
    device=words,
    jobs=integers,
)


def exact(value: Any) -> Any:
    """`value` with each float as its bytes, so that NaN equals NaN and 0.0 is not -0.0."""
    if isinstance(value, float):
        return struct.pack(">d", value)
    if is_dataclass(value):
        return type(value), *(exact(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return [(key, exact(item)) for key, item in value.items()]
    return [exact(item) for item in value] if isinstance(value, tuple) else value


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(result=results)
def test_a_result_comes_back_bit_for_bit(result: Graded, book: Gradebook, make_run: Callable[..., RunInfo]) -> None:
    run = make_run(next(RUN_NUMBERS))
    book.begin(run)
    book.record(run.id, result)
    (found,) = book.cohort(run.id).results
    assert exact(found) == exact(result)
    expected = (
        set()
        if result.status is Status.INFRASTRUCTURE
        else {(result.candidate.student, result.candidate.sha256, result.candidate.attempt)}
    )
    assert book.recorded(run.id) == expected


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(run=infos, number=st.just(None))
@example(
    run=RunInfo("", "\0", "\ud83d\ude00", Text("\ud800", "\x10d800"), 0, "", NOON, "", {"pair": "\ud83d\ude00"}, "", 1),
    number=None,
)
def test_a_run_comes_back_with_its_seed(run: RunInfo, number: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Gradebook.open(tmp_path_factory.mktemp("run") / "gradebook.sqlite") as book:
        book.begin(run)
        assert book.runs() == (run,)
        assert book.latest(run.assignment) == run


def test_it_is_all_there_after_closing_and_opening_again(
    path: Path, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    with Gradebook.open(path) as book:
        book.begin(make_run())
        book.record(make_run().id, make_graded())
    with Gradebook.open(path) as book:
        assert book.cohort(make_run().id).results == (make_graded(),)


def test_the_same_attempt_recorded_again_replaces(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    run = make_run()
    book.begin(run)
    book.record(run.id, make_graded(sha256="old", status=Status.INFRASTRUCTURE, score=None))
    book.record(run.id, make_graded(sha256="new", checks=make_graded().checks[:1]))
    (result,) = book.cohort(run.id).results
    assert result.candidate.sha256 == "new"
    assert len(result.checks) == 1
    assert book.recorded(run.id) == {("student-01", "new", 1)}


def test_what_failed_on_our_side_is_not_done(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    run = make_run()
    book.begin(run)
    book.record(run.id, make_graded("alma", status=Status.INFRASTRUCTURE, score=None, failure="no sandbox"))
    book.record(run.id, make_graded("basil", status=Status.UNREADABLE, score=0.0))
    assert {student for student, _, _ in book.recorded(run.id)} == {"basil"}
    assert len(book.cohort(run.id).results) == 2


def test_results_come_by_student_then_attempt(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    book.begin(make_run())
    for student, attempt in (("\udcff", 1), ("b", 10), ("b", 9), ("a", 1), ("B", 1)):
        book.record(make_run().id, make_graded(student, attempt))
    found = [(graded.candidate.student, graded.candidate.attempt) for graded in book.cohort(make_run().id).results]
    assert found == [("B", 1), ("a", 1), ("b", 9), ("b", 10), ("\udcff", 1)]


def test_every_run_is_kept_and_the_newest_unfinished_is_found(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    first, second, other = make_run(1), make_run(2), make_run(3, assignment="attention")
    for run in (first, second, other):
        book.begin(run)
    book.record(first.id, make_graded())
    assert book.unfinished("ngram") == second
    book.finish(second.id, NOON)
    assert book.unfinished("ngram") == first
    book.finish(first.id, NOON)
    assert book.unfinished("ngram") is None
    assert book.latest("ngram") == second
    assert book.latest() == other
    assert book.latest("absent") is None
    assert book.runs() == (first, second, other)
    assert book.cohort(second.id).results == ()


def test_an_unknown_run_is_named_with_those_there_are(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    book.begin(make_run())
    for use in (
        lambda: book.cohort("nope"),
        lambda: book.record("nope", make_graded()),
        lambda: book.finish("nope", NOON),
    ):
        with pytest.raises(UsageError, match=f"no run 'nope'. Known runs: {make_run().id}"):
            use()


def test_a_run_is_begun_once(book: Gradebook, make_run: Callable[..., RunInfo]) -> None:
    book.begin(make_run())
    with pytest.raises(GradebookError, match="begun before"):
        book.begin(make_run())
    assert len(book.runs()) == 1


def test_a_time_without_offset_is_refused_and_nothing_is_written(
    book: Gradebook, make_run: Callable[..., RunInfo]
) -> None:
    with pytest.raises(GradebookError, match="no offset from UTC"):
        book.begin(replace(make_run(), started=NOON.replace(tzinfo=None)))
    assert book.runs() == ()


def test_decisions_survive_a_regrade_and_their_history_is_kept(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    first, again = make_run(1), make_run(2)
    book.begin(first)
    book.record(first.id, make_graded(penalty=0.5, score=0.5))
    three = Override("student-01", "table", 3.0, "juste à une faute de frappe près", "instructor", NOON)
    two = replace(three, points=2.0, comment="relu")
    book.override(three, assignment="ngram")
    book.override(two, assignment="ngram")
    book.begin(again)
    book.record(again.id, make_graded(penalty=0.5, score=0.5))
    cohort = book.cohort(again.id)
    (result,) = cohort.results
    assert [check.points for check in result.checks] == [1.0, 2.0]
    assert result.score == 2.5
    assert cohort.overrides == (two,)
    assert book.overrides("ngram") == book.overrides() == (three, two)


def test_decisions_stay_in_their_assignment(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    for number, assignment in ((1, "ngram"), (2, "attention")):
        book.begin(make_run(number, assignment=assignment))
        book.record(make_run(number).id, make_graded())
    decision = Override("student-01", "table", 3.0, "", "instructor", NOON)
    book.override(decision, assignment="ngram")
    assert book.cohort(make_run(2).id).results == (make_graded(),)
    assert book.cohort(make_run(2).id).overrides == book.overrides("attention") == ()


def test_a_decision_on_an_assignment_that_was_never_marked_is_refused(book: Gradebook) -> None:
    with pytest.raises(UsageError, match="nothing of 'ngram' was marked"):
        book.override(Override("student-01", None, 1.0, "", "instructor", NOON), assignment="ngram")


def test_a_decision_that_is_refused_leaves_no_trace(
    book: Gradebook, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    book.begin(make_run())
    book.record(make_run().id, make_graded())
    with pytest.raises(UsageError):
        book.override(Override("nobody", None, 1.0, "", "instructor", NOON), assignment="ngram")
    assert book.overrides() == ()
