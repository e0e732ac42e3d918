"""What each page says, as dataclasses built from the records: counted, bounded, in order; no words and no HTML yet.

Not covered: who may see what (`harness.visible`, applied before), and wording (`wording`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import median

from harness.records import (
    CellRun,
    CheckResult,
    Cohort,
    Graded,
    Language,
    Notice,
    Outcome,
    Override,
    RunInfo,
    Status,
    StudentError,
    Text,
    Visibility,
)
from reports.figures import Histogram, histogram
from reports.measured import Measured, MetricRow, MetricView, measured, metric_rows, metric_view
from reports.names import safe_name
from reports.text import Excerpt, clean_line, excerpt

# How much of a student's text a page carries, in characters: what a person reads, and a page that opens at once.
NAME_LIMIT = 80
MESSAGE_LIMIT = 4_000
OUTPUT_LIMIT = 10_000
FRAMES_LIMIT = 8  # innermost frames of a traceback
CELLS_LIMIT = 400  # cells of a notebook; no honest one has more
NOTICES_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One submission in the instructor's table."""

    name: str
    file: str  # of both its pages, without folder
    anchor: str
    attempt: int | None  # None when the student has a single one
    result: Graded
    broken_checks: int  # checks that failed on our side


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check over the whole cohort."""

    id: str
    title: Text
    visibility: Visibility
    max_points: float
    outcomes: tuple[tuple[Outcome, int], ...]  # in the order of `Outcome`, those that occur
    pass_share: float | None  # None when all that is known are failures of our own


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """One decision by hand."""

    name: str
    check: Text | None
    override: Override
    author: str
    comment: Excerpt


@dataclass(frozen=True, slots=True)
class IndexPage:
    """The instructor's page of one run."""

    run: RunInfo
    rows: tuple[Row, ...]
    marked: int
    unmarked: int
    median: float | None  # None when there is no score
    max_score: float
    histogram: Histogram | None
    checks: tuple[CheckRow, ...]
    metrics: tuple[MetricRow, ...]
    overrides: tuple[OverrideRow, ...]
    failures: tuple[tuple[Row, Excerpt | None], ...]  # submissions without a mark, and why
    broken: tuple[Row, ...]  # marked submissions in which a check failed on our side
    broken_checks: int


@dataclass(frozen=True, slots=True)
class CheckView:
    """One check on a submission's page."""

    result: CheckResult
    message: Excerpt | None
    counterexample: Excerpt | None
    decisions: tuple[OverrideRow, ...]
    measured: Measured | None
    rough: bool  # its points are shown in tenths, rounded down


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An exception in student code."""

    line: int | None  # from 1
    summary: Excerpt  # "ValueError: ..."
    traceback: Excerpt | None


@dataclass(frozen=True, slots=True)
class CellView:
    """One code cell on a submission's page."""

    number: int  # as counted by people, from 1
    outcome: Outcome
    wall_s: float
    error: ErrorView | None
    output: Excerpt | None


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A remark or a broken rule."""

    number: int | None  # of the cell, from 1
    line: int | None
    text: Excerpt


@dataclass(frozen=True, slots=True)
class Bounded:
    """The first of many notices, and how many are left out."""

    items: tuple[NoticeView, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class SubmissionPage:
    """One submission's page: for its student, or with everything for the instructor."""

    run: RunInfo
    name: str
    notebook: str
    result: Graded
    instructor: bool
    passed: int
    comments: tuple[OverrideRow, ...]  # on the submission as a whole
    checks: tuple[CheckView, ...]
    metrics: tuple[MetricView, ...]  # of checks that are not there, in gradebooks from before metrics named theirs
    cells: tuple[CellView, ...]
    cells_left_out: int
    notices: Bounded
    policy: Bounded
    failure: Excerpt | None  # for the instructor only


def index_page(cohort: Cohort) -> IndexPage:
    """The instructor's page of `cohort`."""
    rows = rows_of(cohort.results)
    scores = [result.score for result in cohort.results if result.score is not None]
    middle = median(scores) if scores else None
    max_score = max((result.max_score for result in cohort.results), default=0.0)
    drawn = histogram(scores, median=middle, maximum=max_score) if middle is not None and max_score > 0 else None
    return IndexPage(
        run=cohort.run,
        rows=rows,
        marked=len(scores),
        unmarked=len(rows) - len(scores),
        median=middle,
        max_score=max_score,
        histogram=drawn,
        checks=_check_rows(cohort.results),
        metrics=metric_rows(cohort.results),
        overrides=_override_rows(cohort.overrides, _titles(cohort.results)),
        failures=tuple((row, _optional(row.result.failure, MESSAGE_LIMIT)) for row in rows if _unmarked(row.result)),
        broken=tuple(row for row in rows if row.broken_checks and not _unmarked(row.result)),
        broken_checks=sum(row.broken_checks for row in rows if not _unmarked(row.result)),
    )


def rows_of(results: Sequence[Graded]) -> tuple[Row, ...]:
    """One row a result, with a page name that no other result has."""
    attempts = Counter(result.candidate.student for result in results)
    return tuple(_row(result, alone=attempts[result.candidate.student] == 1) for result in results)


def _row(result: Graded, *, alone: bool) -> Row:
    stem = safe_name(result.candidate.student)
    if not alone:
        stem += f"@{result.candidate.attempt}"  # "@" is in no safe name, so no other student has this one
    return Row(
        name=display_name(result.candidate.student),
        file=f"{stem}.html",
        anchor=f"student-{stem}",
        attempt=None if alone else result.candidate.attempt,
        result=result,
        broken_checks=sum(check.outcome is Outcome.INFRASTRUCTURE for check in result.checks),
    )


def display_name(student: str) -> str:
    """A student's name on one line, never empty, never endless."""
    line = clean_line(student) or "?"
    return line if len(line) <= NAME_LIMIT else f"{line[:NAME_LIMIT]}…"


def submission_page(cohort: Cohort, result: Graded, *, instructor: bool, language: Language) -> SubmissionPage:
    """The page of `result`, which must already be reduced to what its reader may see."""
    student = result.candidate.student
    decisions = [override for override in cohort.overrides if override.student == student]
    return SubmissionPage(
        run=cohort.run,
        name=display_name(student),
        notebook=display_name(str(PurePosixPath(result.candidate.notebook).name)),
        result=result,
        instructor=instructor,
        passed=sum(check.outcome is Outcome.PASSED for check in result.checks),
        comments=_override_rows((override for override in decisions if override.check is None), {}),
        checks=tuple(
            _check_view(check, decisions, measured(result.metrics, check.id), language) for check in result.checks
        ),
        metrics=_of_no_check(result),
        cells=tuple(_cell_view(cell) for cell in result.cells[:CELLS_LIMIT]),
        cells_left_out=max(0, len(result.cells) - CELLS_LIMIT),
        notices=_bounded(result.notices, language),
        policy=_bounded(result.policy, language),
        failure=_optional(result.failure, MESSAGE_LIMIT) if instructor else None,
    )


def _unmarked(result: Graded) -> bool:
    return result.status is Status.INFRASTRUCTURE or result.score is None


def _titles(results: Iterable[Graded]) -> dict[str, Text]:
    return {check.id: check.title for result in results for check in result.checks}


def _check_rows(results: Sequence[Graded]) -> tuple[CheckRow, ...]:
    by_id: dict[str, list[CheckResult]] = {}
    for result in results:
        for check in result.checks:
            by_id.setdefault(check.id, []).append(check)
    return tuple(_check_row(checks) for checks in by_id.values())


def _check_row(checks: Sequence[CheckResult]) -> CheckRow:
    counts = Counter(check.outcome for check in checks)
    known = len(checks) - counts[Outcome.INFRASTRUCTURE]
    first = checks[0]
    return CheckRow(
        id=first.id,
        title=first.title,
        visibility=first.visibility,
        max_points=first.max_points,
        outcomes=tuple((outcome, counts[outcome]) for outcome in Outcome if counts[outcome]),
        pass_share=counts[Outcome.PASSED] / known if known else None,
    )


def _override_rows(overrides: Iterable[Override], titles: dict[str, Text]) -> tuple[OverrideRow, ...]:
    return tuple(
        OverrideRow(
            name=display_name(override.student),
            check=None if override.check is None else titles.get(override.check, Text(override.check, override.check)),
            override=override,
            author=display_name(override.author),
            comment=excerpt(override.comment, limit=MESSAGE_LIMIT),
        )
        for override in overrides
    )


def _of_no_check(result: Graded) -> tuple[MetricView, ...]:
    known = {check.id for check in result.checks}
    return tuple(metric_view(name, metric) for name, metric in result.metrics.items() if metric.check not in known)


def _check_view(
    check: CheckResult, decisions: Sequence[Override], found: Measured | None, language: Language
) -> CheckView:
    decided = any(override.check == check.id and override.points is not None for override in decisions)
    concealed = check.visibility is not Visibility.PUBLIC and found is None
    return CheckView(
        result=check,
        message=_optional(check.message.in_language(language) if check.message else None, MESSAGE_LIMIT),
        counterexample=_optional(check.counterexample, MESSAGE_LIMIT),
        decisions=_override_rows((override for override in decisions if override.check == check.id), {}),
        measured=found,
        rough=concealed and not decided and 0 < check.points < check.max_points,
    )


def _cell_view(cell: CellRun) -> CellView:
    return CellView(
        number=cell.cell + 1,
        outcome=cell.outcome,
        wall_s=cell.wall_s,
        error=None if cell.error is None else _error_view(cell.error),
        output=_optional(cell.output, OUTPUT_LIMIT),
    )


def _error_view(error: StudentError) -> ErrorView:
    name = clean_line(error.name)[:NAME_LIMIT]
    return ErrorView(
        line=error.line,
        summary=excerpt(f"{name}: {error.message}" if error.message else name, limit=MESSAGE_LIMIT),
        traceback=_optional("\n".join(error.traceback[-FRAMES_LIMIT:]), MESSAGE_LIMIT),
    )


def _bounded(notices: Sequence[Notice], language: Language) -> Bounded:
    shown = tuple(_notice_view(notice, language) for notice in notices[:NOTICES_LIMIT])
    return Bounded(shown, len(notices) - len(shown))


def _notice_view(notice: Notice, language: Language) -> NoticeView:
    return NoticeView(
        number=None if notice.cell is None else notice.cell + 1,
        line=notice.line,
        text=excerpt(notice.text.in_language(language), limit=MESSAGE_LIMIT),
    )


def _optional(text: str | None, limit: int) -> Excerpt | None:
    cut = excerpt(text or "", limit=limit)
    return cut if cut.text else None
