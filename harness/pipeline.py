"""One submission from file to mark: the visible tuple of stages, run by `grade` in a trusted worker.

Every stage takes and returns a frozen `Work`; a stage that has nothing to do (an unreadable notebook has nothing to
run) hands it on. Not covered: which submissions there are, retries and the gradebook (`cohort`).
"""

import hashlib
import hmac
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

from harness import checks, intake, kernel, sandbox
from harness.course import Assignment, Course, LateRule, load_course
from harness.errors import ConfigurationError, InfrastructureError, UnreadableSubmission
from harness.kernel import wire
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.kernel.warmth import warmth
from harness.metrics import controls
from harness.orders import Job
from harness.records import (
    Cell,
    CellRun,
    CheckResult,
    CheckSpec,
    Execution,
    Graded,
    Metric,
    Notice,
    Outcome,
    Seconds,
    Status,
    Submission,
    Text,
    Visibility,
)
from harness.sandbox.contract import Sandbox

DAY_S = 86_400
SOLUTION = "source.ipynb"  # in the assignment's folder: the notebook that speed is compared with
NO_TIME = Seconds(queued=0.0, started=0.0, executed=0.0, checked=0.0)
# Told while one submission is marked, each as soon as it is known: what was read, each cell, each check's own marks
News = Submission | CellRun | checks.Marks
Tell = Callable[[News], None]
Watch = Callable[[kernel.Notebook], kernel.Notebook]  # puts something between the checks and a submission's notebook


@dataclass(frozen=True, slots=True)
class Bench:
    """What stages share while one submission is marked: its job, its assignment and what must be closed at the end."""

    job: Job
    assignment: Assignment
    specs: tuple[CheckSpec, ...]
    closing: ExitStack
    tell: Tell = kernel.nobody
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What is known so far; each stage fills in its part."""

    status: Status = Status.MARKED
    submission: Submission | None = None
    notebook: kernel.Notebook | None = None
    execution: Execution | None = None
    checks: tuple[CheckResult, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    violations: tuple[Notice, ...] = ()
    seconds: Seconds = NO_TIME
    failure: str | None = None


def grade(job: Job, tell: Tell = kernel.nobody, watch: Watch | None = None) -> Graded:
    """Mark one candidate. Never raises for what a student did; our own failures come back as status `infrastructure`.

    What is told on the way is not the last word: a rule that is seen broken later voids the checks that came before.

    Raises:
        ConfigurationError: the course or its checks are wrong; the same for every candidate.
    """
    work = Work(seconds=replace(NO_TIME, queued=max(0.0, time.time() - job.queued_at)))
    with ExitStack() as closing:
        bench = replace(_bench(job, closing), tell=tell, watch=watch)
        try:
            for stage in STAGES:
                work = stage(bench, work)
        except InfrastructureError as error:
            work = replace(work, status=Status.INFRASTRUCTURE, failure=str(error))
    return _graded(bench, work)


def failed(job: Job, reason: str) -> Graded:
    """The result of a job whose worker hung or died: no mark, and why."""
    return _graded(_bench(job, ExitStack()), Work(status=Status.INFRASTRUCTURE, failure=reason))


def read(bench: Bench, work: Work) -> Work:
    """File -> code cells, files beside it, notices, and the rules that static reading saw broken."""
    names = [entry.name for entry in bench.assignment.file.entry_points]
    try:
        submission = intake.read(bench.job.candidate, policy=bench.assignment.file.policy, entry_points=names)
    except UnreadableSubmission as error:
        return replace(work, status=Status.UNREADABLE, notices=(Notice("unreadable", error.reason),))
    bench.tell(submission)
    return replace(work, submission=submission, notices=submission.notices, violations=submission.violations)


def execute(bench: Bench, work: Work) -> Work:
    """Code cells -> a live notebook in its sandbox, every cell run once. A broken rule ends the marking here."""
    if work.submission is None or work.violations:
        return work
    before = time.monotonic()
    notebook = bench.closing.enter_context(_open(bench, work.submission))
    execution = notebook.run_cells(bench.tell)
    total_s = time.monotonic() - before
    cells_s = sum(run.wall_s for run in execution.cells)
    return replace(
        work,
        notebook=notebook if bench.watch is None else bench.watch(notebook),
        execution=execution,
        violations=execution.violations,
        seconds=replace(work.seconds, started=max(0.0, total_s - cells_s), executed=cells_s),
    )


def check(bench: Bench, work: Work) -> Work:
    """A live notebook -> one result for each check, every answer held against the oracle, and what was measured."""
    if work.notebook is None or work.violations:
        return work
    before = time.monotonic()
    twins: list[kernel.Notebook] = []
    marks = checks.run(
        checks.Bench(
            checks=bench.assignment.checks,
            oracle=bench.assignment.file.oracle,
            slug=bench.assignment.slug,
            seed=bench.job.seed,
            memo=None if bench.job.answers is None else _memo(bench.job.answers),
            baseline=partial(_open_solution, bench) if bench.job.audience == "instructor" else None,
            twin=partial(_open_twin, bench, work, twins) if bench.job.device == "cpu" else None,
            failed=_first_failure(work.execution),
            until_lost=bench.job.until_lost,
            first=bench.job.first,
        ),
        work.notebook,
        select=[spec.id for spec in bench.specs],
        tell=bench.tell,
    )
    return replace(
        work,
        checks=marks.checks,
        metrics=marks.metrics,
        violations=tuple(dict.fromkeys(seen for one in (work.notebook, *twins) for seen in one.violations())),
        seconds=replace(work.seconds, checked=time.monotonic() - before),
    )


def settle(bench: Bench, work: Work) -> Work:
    """The submission's status, and checks for those that never came to be run."""
    if work.status is Status.UNREADABLE:
        return replace(work, checks=_all(bench.specs, Outcome.SKIPPED, work.notices[0].text))
    if work.violations or any(result.outcome is Outcome.POLICY for result in work.checks):
        return replace(work, status=Status.POLICY, checks=_void(bench.specs, work), metrics={})
    broken = [result for result in work.checks if result.outcome is Outcome.INFRASTRUCTURE]
    if broken:
        message = broken[0].message
        return replace(work, status=Status.INFRASTRUCTURE, failure=message.en if message else broken[0].id)
    return work


@lru_cache(maxsize=8)
def load(folder: Path) -> Course:
    """The course in `folder`, read once a process; from then on its own modules, such as a private oracle, import."""
    course = load_course(folder)
    sys.dont_write_bytecode = True  # nothing of ours is left in a course's folder
    sys.path.append(str(folder))
    return course


def prepare(folder: Path, slug: str) -> None:
    """Import and read all that marking the assignment `slug` of the course in `folder` takes, before workers fork."""
    assignment = load(folder).assignment(slug)
    intake.prepare(assignment.file.policy)
    declared(assignment)
    checks.prepare(assignment.checks, assignment.file.oracle)


def examine(place: tuple[Path, str]) -> tuple[CheckSpec, ...]:
    """The checks of the assignment (course's folder, slug), when all that they are marked with works.

    Raises:
        ConfigurationError: see `declared`.
        InfrastructureError: a metric that they use does not give its controls their known values.
    """
    folder, slug = place
    specs = declared(load(folder).assignment(slug))
    controls.check(kind for spec in specs for kind in spec.measures)
    return specs


@lru_cache(maxsize=64)
def declared(assignment: Assignment) -> tuple[CheckSpec, ...]:
    """The checks that checks.py declares, verified against assignment.toml, read once a process.

    Raises:
        ConfigurationError: there is no such oracle, checks.py is broken, or its points do not add up to those of
            assignment.toml.
    """
    if not _importable(assignment.file.oracle):
        raise ConfigurationError(
            f"{assignment.folder / 'assignment.toml'}: oracle {assignment.file.oracle!r} cannot be imported",
            remedy="Name an installed module, or one in the course's folder.",
        )
    specs = checks.collect(assignment.checks)
    checks.verify(specs, points=assignment.file.points, path=assignment.checks)
    return specs


def kernel_seed(job: Job) -> int:
    """What the kernel's own generators start from: fixed by the run's seed, which cannot be computed back from it."""
    key = job.seed.to_bytes(max(1, (job.seed.bit_length() + 7) // 8), "big")
    return int.from_bytes(hmac.digest(key, f"kernel/{job.slug}".encode(), hashlib.sha256)[:4], "big")


def late(submitted: datetime, due: datetime | None, rule: LateRule) -> tuple[float, float]:
    """Seconds late after the grace time, and the share of the maximum (0 to 1) that is taken off for it."""
    if due is None:
        return 0.0, 0.0
    late_s = max(0.0, (submitted - due).total_seconds() - 60 * rule.grace_minutes)
    percent = min(rule.max_percent, rule.percent_per_day * math.ceil(late_s / DAY_S))
    return late_s, percent / 100


@lru_cache(maxsize=1)
def _memo(folder: Path) -> checks.Memo:
    """What this worker remembers of the oracle, shared with the others through `folder`."""
    return checks.Memo(wire.encode, wire.decode, checks.Answers(folder))


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that would hold it
        return False


def _bench(job: Job, closing: ExitStack) -> Bench:
    assignment = load(job.course).assignment(job.slug)
    specs = tuple(spec for spec in declared(assignment) if job.audience == "instructor" or _public(spec))
    return Bench(job, assignment, specs, closing)


def _public(spec: CheckSpec) -> bool:
    return spec.visibility is Visibility.PUBLIC


def _open_solution(bench: Bench) -> LiveNotebook:
    """The baseline kernel: the solution over the very same path, with a cell for null calls after its own.

    Raises:
        InfrastructureError: the assignment's own notebook does not run.
    """
    source = bench.assignment.folder / SOLUTION
    solution = intake.read(intake.find(source, bench.assignment.slug)[-1], policy=bench.assignment.file.policy)
    null_calls = Cell(len(solution.cells), "null-calls", checks.NULL_CALLS)
    opened = bench.closing.enter_context(_open(bench, solution, null_calls))
    failed = [run for run in opened.run_cells().cells if run.outcome is not Outcome.PASSED]
    if failed:
        raise InfrastructureError(f"{source}: cell {failed[0].cell + 1} fails", remedy="Correct the solution.")
    return opened


def _first_failure(execution: Execution | None) -> CellRun | None:
    cells = () if execution is None else execution.cells
    return next((run for run in cells if run.outcome is not Outcome.PASSED), None)


def _open_twin(bench: Bench, work: Work, twins: list[kernel.Notebook], calls_before: int) -> LiveNotebook:
    """The submission once more, kept among `twins`, its calls numbered from `calls_before`.

    Not on a GPU: training there does not come out the same twice, and an honest model would differ from itself.
    """
    assert work.submission is not None  # noqa: S101  # its checks are being run
    opened = bench.closing.enter_context(_open(bench, work.submission, calls_before=calls_before))
    twins.append(opened)
    opened.run_cells()
    return opened


def _open(bench: Bench, submission: Submission, *after: Cell, calls_before: int = 0) -> LiveNotebook:
    """The notebook in a kernel of its own, with the cells `after` at its end."""
    file = bench.assignment.file
    given = {Path(name).name: (bench.assignment.folder / name).read_bytes() for name in file.data.student}
    return LiveNotebook(
        Plan(
            cells=(*submission.cells, *after),
            files={**submission.extras, **given},
            limits=bench.job.limits or file.limits,
            policy=file.policy,
            device=bench.job.device,
            seed=kernel_seed(bench.job),
            timed=any(checks.TIMED.intersection(spec.measures) for spec in declared(bench.assignment)),
        ),
        _sandbox(bench),
        calls_before=calls_before,
    )


_warmth = lru_cache(maxsize=8)(warmth)  # reads what packages have installed: 5 ms


def _sandbox(bench: Bench) -> Sandbox:
    job = bench.job
    if job.warm is not None:
        return sandbox.Warm(job.warm, _warmth(bench.assignment.file.policy, job.device))
    return sandbox.choose(job.sandbox, secrets=(job.course,))


def _all(specs: Sequence[CheckSpec], outcome: Outcome, message: Text) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(
            spec.id, spec.title, spec.visibility, 0.0, spec.points, outcome, message, counterexample=None, wall_s=0.0
        )
        for spec in specs
    )


def _void(specs: Sequence[CheckSpec], work: Work) -> tuple[CheckResult, ...]:
    seen = [notice.text for notice in work.violations]
    seen += [result.message for result in work.checks if result.outcome is Outcome.POLICY and result.message]
    return _all(specs, Outcome.POLICY, seen[0])


def _graded(bench: Bench, work: Work) -> Graded:
    file = bench.assignment.file
    marked = work.status is not Status.INFRASTRUCTURE
    maximum = sum(spec.points for spec in bench.specs)
    late_s, share = late(bench.job.candidate.submitted_at, file.due, file.late)
    points = sum(result.points for result in work.checks)
    penalty = min(points, share * maximum) if marked else 0.0
    return Graded(
        candidate=bench.job.candidate,
        status=work.status,
        score=points - penalty if marked else None,
        max_score=maximum,
        late_s=late_s,
        penalty=penalty,
        checks=work.checks,
        metrics=work.metrics if marked else {},
        cells=work.execution.cells if work.execution else (),
        notices=work.notices,
        policy=work.violations,
        output_truncated=work.execution.output_truncated if work.execution else False,
        seconds=work.seconds,
        peak_memory_bytes=work.execution.peak_memory_bytes if work.execution else 0,
        failure=work.failure,
    )


STAGES: tuple[Callable[[Bench, Work], Work], ...] = (read, execute, check, settle)
