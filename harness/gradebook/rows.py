"""Records to rows and back, field by field, nothing lost.

Not covered: metrics (`metric_rows`), when rows are read or written (`store`), how single values are kept exactly
(`columns`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, Table

from harness.gradebook.metric_rows import metric_from, metric_row
from harness.gradebook.schema import cells, checks, metrics, notices
from harness.records import (
    Candidate,
    CellRun,
    CheckResult,
    Graded,
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

Row = Mapping[str, Any]
PARTS = (checks, metrics, cells, notices)
NOTICE = "notice"  # values of notices.kind
POLICY = "policy"


def run_row(run: RunInfo) -> dict[str, Any]:
    """The row of `runs`, without its number."""
    return {
        "id": run.id,
        "course": run.course,
        "assignment": run.assignment,
        "title_fr": run.title.fr,
        "title_en": run.title.en,
        "seed": format(run.seed, "x"),  # decimal would stop at 4300 digits
        "seed_id": run.seed_id,
        "started": run.started,
        "bareme_version": run.bareme_version,
        "environment": dict(run.environment),
        "device": run.device,
        "jobs": run.jobs,
    }


def run_from(row: RowMapping) -> RunInfo:
    """The run that `run_row` took apart."""
    return RunInfo(
        id=row["id"],
        course=row["course"],
        assignment=row["assignment"],
        title=Text(row["title_fr"], row["title_en"]),
        seed=int(row["seed"], 16),
        seed_id=row["seed_id"],
        started=row["started"],
        bareme_version=row["bareme_version"],
        environment=row["environment"],
        device=row["device"],
        jobs=row["jobs"],
    )


def submission_row(run_id: str, graded: Graded) -> dict[str, Any]:
    """The row of `submissions`."""
    candidate, seconds = graded.candidate, graded.seconds
    return {
        **submission_key(run_id, graded),
        "notebook": candidate.notebook,
        "location": str(candidate.location),
        "member": candidate.member,
        "sha256": candidate.sha256,
        "submitted_at": candidate.submitted_at,
        "extras": list(candidate.extras),
        "status": graded.status.value,
        "score": graded.score,
        "max_score": graded.max_score,
        "late_s": graded.late_s,
        "penalty": graded.penalty,
        "output_truncated": graded.output_truncated,
        "queued_s": seconds.queued,
        "started_s": seconds.started,
        "executed_s": seconds.executed,
        "checked_s": seconds.checked,
        "peak_memory_bytes": graded.peak_memory_bytes,
        "failure": graded.failure,
    }


def submission_key(run_id: str, graded: Graded) -> dict[str, Any]:
    """What tells one submission of a run from the others."""
    return {"run_id": run_id, "student": graded.candidate.student, "attempt": graded.candidate.attempt}


def part_rows(run_id: str, graded: Graded) -> dict[Table, list[dict[str, Any]]]:
    """The rows of all the tables that hang on `submissions`."""
    kinds = ((NOTICE, graded.notices), (POLICY, graded.policy))
    contents = {
        checks: [{"position": i, **_check_row(check)} for i, check in enumerate(graded.checks)],
        metrics: [{"position": i, **metric_row(*item)} for i, item in enumerate(graded.metrics.items())],
        cells: [{"position": i, **_cell_row(cell)} for i, cell in enumerate(graded.cells)],
        notices: [
            {"kind": kind, "position": i, **_notice_row(notice)}
            for kind, found in kinds
            for i, notice in enumerate(found)
        ],
    }
    key = submission_key(run_id, graded)
    return {table: [key | row for row in rows] for table, rows in contents.items()}


def graded_from(row: RowMapping, parts: Mapping[Table, Sequence[RowMapping]]) -> Graded:
    """The submission that `submission_row` and `part_rows` took apart; each table's rows by position."""
    return Graded(
        candidate=_candidate_from(row),
        status=Status(row["status"]),
        score=row["score"],
        max_score=row["max_score"],
        late_s=row["late_s"],
        penalty=row["penalty"],
        checks=tuple(_check_from(part) for part in parts[checks]),
        metrics={part["name"]: metric_from(part) for part in parts[metrics]},
        cells=tuple(_cell_from(part) for part in parts[cells]),
        notices=tuple(_notice_from(part) for part in parts[notices] if part["kind"] == NOTICE),
        policy=tuple(_notice_from(part) for part in parts[notices] if part["kind"] == POLICY),
        output_truncated=row["output_truncated"],
        seconds=Seconds(row["queued_s"], row["started_s"], row["executed_s"], row["checked_s"]),
        peak_memory_bytes=row["peak_memory_bytes"],
        failure=row["failure"],
    )


def override_row(override: Override) -> dict[str, Any]:
    """The row of `overrides`, without its number and assignment."""
    return {
        "student": override.student,
        "check_id": override.check,
        "points": override.points,
        "comment": override.comment,
        "author": override.author,
        "made": override.made,
    }


def override_from(row: RowMapping) -> Override:
    """The override that `override_row` took apart."""
    return Override(row["student"], row["check_id"], row["points"], row["comment"], row["author"], row["made"])


def _candidate_from(row: RowMapping) -> Candidate:
    return Candidate(
        student=row["student"],
        notebook=row["notebook"],
        location=Path(row["location"]),
        member=row["member"],
        sha256=row["sha256"],
        submitted_at=row["submitted_at"],
        attempt=row["attempt"],
        extras=tuple(row["extras"]),
    )


def _check_row(check: CheckResult) -> Row:
    return {
        "id": check.id,
        "title_fr": check.title.fr,
        "title_en": check.title.en,
        "visibility": check.visibility.value,
        "points": check.points,
        "max_points": check.max_points,
        "outcome": check.outcome.value,
        "message_fr": check.message.fr if check.message else None,
        "message_en": check.message.en if check.message else None,
        "counterexample": check.counterexample,
        "wall_s": check.wall_s,
    }


def _check_from(row: RowMapping) -> CheckResult:
    return CheckResult(
        id=row["id"],
        title=Text(row["title_fr"], row["title_en"]),
        visibility=Visibility(row["visibility"]),
        points=row["points"],
        max_points=row["max_points"],
        outcome=Outcome(row["outcome"]),
        message=None if row["message_fr"] is None else Text(row["message_fr"], row["message_en"]),
        counterexample=row["counterexample"],
        wall_s=row["wall_s"],
    )


def _cell_row(cell: CellRun) -> Row:
    error = cell.error
    return {
        "cell": cell.cell,
        "outcome": cell.outcome.value,
        "wall_s": cell.wall_s,
        "error_name": error.name if error else None,
        "error_message": error.message if error else None,
        "error_traceback": list(error.traceback) if error else [],
        "error_cell": error.cell if error else None,
        "error_line": error.line if error else None,
        "output": cell.output,
    }


def _cell_from(row: RowMapping) -> CellRun:
    error = None
    if row["error_name"] is not None:
        error = StudentError(
            name=row["error_name"],
            message=row["error_message"],
            traceback=tuple(row["error_traceback"]),
            cell=row["error_cell"],
            line=row["error_line"],
        )
    return CellRun(row["cell"], Outcome(row["outcome"]), row["wall_s"], error, row["output"])


def _notice_row(notice: Notice) -> Row:
    return {
        "code": notice.code,
        "text_fr": notice.text.fr,
        "text_en": notice.text.en,
        "cell": notice.cell,
        "line": notice.line,
    }


def _notice_from(row: RowMapping) -> Notice:
    return Notice(row["code"], Text(row["text_fr"], row["text_en"]), row["cell"], row["line"])
