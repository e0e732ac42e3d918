"""The parts of the pipeline that decide a mark; the whole of it is marked by tests/e2e."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness import pipeline
from harness.cli import bundled_course
from harness.course import LateRule
from harness.errors import ConfigurationError
from harness.pipeline import Job, kernel_seed, late
from harness.records import Candidate, Outcome, Status

DUE = datetime(2027, 1, 31, 23, 59, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = LateRule(grace_minutes=10, percent_per_day=20.0, max_percent=50.0)


def job(seed: int = 1, **more: object) -> Job:
    candidate = Candidate("student-01", "a.ipynb", Path("a.ipynb"), None, "0" * 64, DUE, 1)
    return Job(candidate, bundled_course().folder, "ngram", seed, "bubblewrap", **more)


@pytest.mark.parametrize(
    ("after", "share"),
    [
        (-DAY, 0.0),
        (timedelta(0), 0.0),
        (timedelta(minutes=10), 0.0),
        (timedelta(minutes=11), 0.2),
        (DAY, 0.2),
        (DAY + timedelta(minutes=11), 0.4),
        (9 * DAY, 0.5),
    ],
)
def test_lateness_costs_a_share_for_each_started_day(after: timedelta, share: float) -> None:
    assert late(DUE + after, DUE, RULE)[1] == share


def test_lateness_is_counted_after_the_grace_time() -> None:
    assert late(DUE + timedelta(minutes=11), DUE, RULE)[0] == 60.0
    assert late(DUE, None, RULE) == (0.0, 0.0)


def test_the_kernels_seed_follows_from_the_runs_and_does_not_tell_it() -> None:
    assert kernel_seed(job(1)) == kernel_seed(job(1)) != kernel_seed(job(2))
    assert kernel_seed(job(5)) != 5
    assert kernel_seed(job(0)) != kernel_seed(job(2**128))


def test_a_job_does_not_show_its_seed() -> None:
    assert "98765" not in repr(job(98765))


def test_a_failure_of_ours_is_no_mark() -> None:
    graded = pipeline.failed(job(), "the worker died")
    assert (graded.status, graded.score, graded.max_score) == (Status.INFRASTRUCTURE, None, 20.0)
    assert graded.failure == "the worker died"


def test_a_notebook_that_cannot_be_read_is_not_marked_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"{")
    candidate = Candidate("student-01", "a.ipynb", path, None, "0" * 64, DUE, 1)
    graded = pipeline.grade(Job(candidate, bundled_course().folder, "ngram", 1, "bubblewrap"))
    assert (graded.status, graded.score) == (Status.UNREADABLE, 0.0)
    assert {check.outcome for check in graded.checks} == {Outcome.SKIPPED}
    assert graded.notices[0].text.fr != graded.notices[0].text.en


def test_students_are_shown_public_checks_only(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"{")
    candidate = Candidate("student-01", "a.ipynb", path, None, "0" * 64, DUE, 1)
    graded = pipeline.grade(Job(candidate, bundled_course().folder, "ngram", 1, "bubblewrap", audience="student"))
    assert {check.visibility for check in graded.checks} == {"public"}
    assert graded.max_score == 10.0


def test_an_oracle_that_is_not_there(tmp_path: Path) -> None:
    assignment = bundled_course().assignment("ngram")
    file = type(assignment.file)(**{**_fields(assignment.file), "oracle": "reference.nothing"})
    with pytest.raises(ConfigurationError, match=r"reference\.nothing"):
        pipeline.declared(type(assignment)(assignment.folder, file))


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
