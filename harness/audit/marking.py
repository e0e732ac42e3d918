"""Marking what an audit hands in: the instructor's own pipeline, in real sandboxes, side by side.

Failures on our side are tried again before they count. Not covered: what is handed in (`notebooks`), and what is
concluded (`examine`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import tasks
from harness.audit import recording
from harness.audit.findings import Lost, Marked
from harness.audit.recording import Timed
from harness.course import Limits
from harness.fork_servers import Serving
from harness.orders import Job
from harness.records import Candidate, CheckResult, CheckSpec, Graded, Outcome, Status, Visibility
from harness.runners.contract import Failure, Runner, Task

TRIES = 2  # as where a cohort is marked
SPARE_S = 60.0  # beyond the notebook's own limit: starting kernels, comparing; past it the worker counts as hung
KERNELS = 5  # of a check that measures: its own, the solution's, and the twins that see whether a model looks ahead
NOT_RUN = {Outcome.SKIPPED, Outcome.INFRASTRUCTURE}

Tell = Callable[[int, int], None]  # notebooks marked, notebooks in all


@dataclass(frozen=True, slots=True)
class Entry:
    """One notebook to be marked, and how."""

    key: str  # unique among those that are marked together
    candidate: Candidate
    seed: int
    first: tuple[str, ...] = ()  # checks that are likeliest to lose points, where one loss is enough


@dataclass(frozen=True, slots=True)
class Bench:
    """What all notebooks of one audit are marked with."""

    course: Path
    slug: str
    runner: Runner
    server: Serving
    answers: Path  # folder where workers share what the oracle has answered
    checks: tuple[CheckSpec, ...]
    jobs: int  # notebooks marked at a time
    limits: Limits
    until_lost: bool = False


def mark(bench: Bench, entries: Sequence[Entry], tell: Tell) -> dict[str, Timed]:
    """Mark each of `entries`; the results by key."""
    results: dict[str, Timed] = {}
    for key, timed in _ended(bench, entries):
        results[key] = timed
        tell(len(results), len(entries))
    return results


def _ended(bench: Bench, entries: Sequence[Entry]) -> Iterator[tuple[str, Timed]]:
    """Each entry's result as it ends."""
    left = list(entries)
    for attempt in range(1, TRIES + 1):
        warm = bench.server.address
        by_key = {entry.key: entry for entry in left}
        asked = [Task(job(bench, entry, warm), _limit_s(bench)) for entry in left]
        left = []
        for ended in bench.runner.run(recording.timed, asked, jobs=bench.jobs):
            timed = ended.result
            if isinstance(timed, Failure):
                timed = Timed(tasks.failed(ended.task.argument, timed.reason))
            entry = by_key[ended.task.argument.candidate.student]
            if timed.graded.status is Status.INFRASTRUCTURE and attempt < TRIES:
                left.append(entry)
            else:
                yield entry.key, timed


def job(bench: Bench, entry: Entry, warm: str | None) -> Job:
    """What a worker needs to mark `entry`."""
    # the key, and not the name: the same notebook may be marked under several seeds
    return Job(
        candidate=replace(entry.candidate, student=entry.key),
        course=bench.course,
        slug=bench.slug,
        seed=entry.seed,
        sandbox="bubblewrap",
        warm=warm,
        answers=bench.answers,
        limits=bench.limits,
        until_lost=bench.until_lost,
        first=entry.first,
    )


def marked(graded: Graded, specs: Sequence[CheckSpec]) -> Marked:
    """What counts of `graded` here: points before any penalty, and the checks that lost some."""
    broken = graded.status is Status.INFRASTRUCTURE
    lost = tuple(
        Lost(result.id, result.outcome, result.message)
        for result in sorted(graded.checks, key=_order)
        if result.points < result.max_points and result.outcome not in NOT_RUN
    )
    return Marked(
        points=None if broken else sum(result.points for result in graded.checks),
        max_points=sum(spec.points for spec in specs),
        lost=lost,
        wall_s=graded.seconds.started + graded.seconds.executed + graded.seconds.checked,
        failure=graded.failure if broken else None,
    )


def _order(result: CheckResult) -> bool:
    """Public checks run first."""
    return result.visibility is not Visibility.PUBLIC


def _limit_s(bench: Bench) -> float:
    measured = any(spec.measures for spec in bench.checks)
    return (KERNELS if measured else 1) * bench.limits.wall_s + SPARE_S
