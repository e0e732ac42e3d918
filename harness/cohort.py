"""A cohort from folder to gradebook: find, mark side by side, keep each result at once, try our own failures again.

Whatever ends the grader, what was recorded stays; `resume` marks only the rest, with the same seed.
Not covered: how one submission is marked (`pipeline`), files made from the gradebook (`gradebook.exports`, `reports`).
"""

import fcntl
import hashlib
import os
import platform
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from harness import __version__, intake, pipeline
from harness.course import Assignment, Course
from harness.errors import UsageError
from harness.gradebook import Gradebook
from harness.pipeline import Job
from harness.records import Candidate, Cohort, Graded, RunInfo, Status
from harness.runners.contract import Failure, Runner, Task
from harness.sandbox import Name as SandboxName

GRADEBOOK = "gradebook.sqlite"  # in the --out folder
SEED_BITS = 128
TRIES = 2  # of a submission that failed on our side, before it is reported as such
SPARE_S = 60.0  # beyond the submission's own limit: starting kernels, comparing; past it the worker counts as hung
VERSIONS_OF = ("torch", "numpy", "ipykernel", "nbclient", "pytest")


@dataclass(frozen=True, slots=True)
class Order:
    """What the command asks for."""

    course: Course
    assignment: Assignment
    submissions: Path
    out: Path
    device: Literal["cpu", "cuda"]
    device_name: str
    jobs: int
    sandbox: SandboxName = "bubblewrap"
    seed: int | None = None  # None: a fresh one
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Told to the caller each time a submission is over."""

    graded: Graded
    done: int
    total: int


def mark(order: Order, runner: Runner, tell: Callable[[Progress], None]) -> Cohort:
    """Mark every candidate of `order` and return the run with all its results.

    Raises:
        UsageError: nothing to mark, nothing to resume, or another run is busy with the same folder.
        ConfigurationError: the assignment cannot be marked with.
        GradebookError: the gradebook cannot be written.
    """
    if order.resume and not (order.out / GRADEBOOK).is_file():
        raise UsageError(f"{order.out} holds no run to resume", remedy="Leave --resume out.")
    candidates = intake.select(intake.find(order.submissions, order.assignment.slug), order.course.file.attempts)
    pipeline.declared(order.assignment)  # a broken checks.py is said now, once, and not once a submission
    with claimed(order.out), Gradebook.open(order.out / GRADEBOOK) as gradebook:
        run = _run(order, gradebook)
        recorded = gradebook.recorded(run.id)
        left = [item for item in candidates if (item.student, item.sha256, item.attempt) not in recorded]
        done = len(candidates) - len(left)
        for graded in _marked(order, run, runner, left):
            gradebook.record(run.id, graded)
            done += 1
            tell(Progress(graded, done, len(candidates)))
        gradebook.finish(run.id, datetime.now(UTC))
        return gradebook.cohort(run.id)


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Create `out` where it is missing and hold it against a second run; the claim ends with this process.

    Raises:
        UsageError: it is a file, cannot be made, or another run holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(f"{out} cannot be used: {error.strerror}", remedy="Name another folder with --out.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"another run is busy in {out}", remedy="Wait for it, or name another folder.") from error
    else:
        yield
    finally:
        os.close(descriptor)


def fresh_seed() -> int:
    """A secret seed that nobody can guess."""
    return secrets.randbits(SEED_BITS)


def fingerprint(seed: int) -> str:
    """The public name of a secret seed."""
    return hashlib.sha256(f"bareme/{seed}".encode()).hexdigest()[:12]


def _run(order: Order, gradebook: Gradebook) -> RunInfo:
    if order.resume:
        return _resumed(order, gradebook)
    seed = fresh_seed() if order.seed is None else order.seed
    run = RunInfo(
        id=secrets.token_hex(8),
        course=order.course.file.slug,
        assignment=order.assignment.slug,
        title=order.assignment.file.title,
        seed=seed,
        seed_id=fingerprint(seed),
        started=datetime.now(UTC),
        bareme_version=__version__,
        environment=environment(order.sandbox),
        device=order.device_name,
        jobs=order.jobs,
    )
    gradebook.begin(run)
    return run


def _resumed(order: Order, gradebook: Gradebook) -> RunInfo:
    run = gradebook.unfinished(order.assignment.slug) or gradebook.latest(order.assignment.slug)
    if run is None:
        raise UsageError(f"{order.out} holds no run of {order.assignment.slug}", remedy="Leave --resume out.")
    if order.seed is not None and order.seed != run.seed:
        raise UsageError("--seed differs from the seed of the run to resume", remedy="Leave --seed out.")
    return run


def environment(sandbox_name: str) -> dict[str, str]:
    """What a mark may depend on: versions and the sandbox, as published in results.json."""
    versions = {name: version(name) for name in VERSIONS_OF}
    return {"python": platform.python_version(), **versions, "machine": platform.machine(), "sandbox": sandbox_name}


def _marked(order: Order, run: RunInfo, runner: Runner, left: Sequence[Candidate]) -> Iterator[Graded]:
    """Each candidate's result; failures on our side are tried again before they count."""
    limit_s = order.assignment.file.limits.wall_s + SPARE_S
    for attempt in range(1, TRIES + 1):
        tasks = [Task(_job(order, run, candidate), limit_s) for candidate in left]
        left = []
        for ended in runner.run(pipeline.grade, tasks):
            graded = ended.result
            if isinstance(graded, Failure):
                graded = pipeline.failed(ended.task.argument, graded.reason)
            if graded.status is Status.INFRASTRUCTURE and attempt < TRIES:
                left.append(graded.candidate)
            else:
                yield graded


def _job(order: Order, run: RunInfo, candidate: Candidate) -> Job:
    return Job(
        candidate=candidate,
        course=order.course.folder,
        slug=order.assignment.slug,
        seed=run.seed,
        sandbox=order.sandbox,
        device=order.device,
    )
