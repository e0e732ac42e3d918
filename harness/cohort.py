"""A cohort from folder to gradebook: find, mark side by side, keep each result at once, try our own failures again.

Whatever ends the grader, what was recorded stays; `resume` marks only the rest, with the same seed.
Not covered: how one submission is marked (`pipeline`), files made from the gradebook (`gradebook.exports`, `reports`).
"""

import fcntl
import hashlib
import os
import platform
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import __version__, intake, tasks
from harness.errors import UsageError
from harness.fork_servers import Serving
from harness.gradebook import Gradebook
from harness.kernel import nobody
from harness.orders import Job, Order
from harness.records import Candidate, Cohort, Graded, RunInfo, Status, Text
from harness.runners import room
from harness.runners.contract import Failure, Runner, Task

GRADEBOOK = "gradebook.sqlite"  # in the --out folder
ANSWERS = ".oracle-"  # in the --out folder, while a run goes on
SEED_BITS = 128
TRIES = 2  # of a submission that failed on our side, before it is reported as such
TWINS = 3  # kernels that a check of perplexity opens at most, one after the other
SPARE_S = 60.0  # beyond the submission's own limit: starting kernels, comparing; past it the worker counts as hung
VERSIONS_OF = ("torch", "numpy", "ipykernel", "nbclient", "pytest")


@dataclass(frozen=True, slots=True)
class Progress:
    """Told to the caller each time a submission is over."""

    graded: Graded
    run: RunInfo
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all submissions of one run are marked with."""

    order: Order
    run: RunInfo
    runner: Runner
    jobs: int
    limit_s: float  # for one submission
    server: Serving  # of its kernels
    answers: Path  # folder where workers share what the oracle has answered


def mark(
    order: Order,
    runner: Runner,
    server: Serving,
    tell: Callable[[Progress], None],
    warn: Callable[[Text], None] = nobody,
) -> Cohort:
    """Mark every candidate of `order` and return the run with all its results.

    Args:
        runner: whose workers mark; quicker where it has been asked to prepare for it (`tasks.prepare`).
        server: of the kernels.
        tell: called each time a submission is over.
        warn: called once when memory allows fewer submissions at a time than `order` asks for.
    Raises:
        UsageError: nothing to mark, nothing to resume, or another run is busy with the same folder.
        ConfigurationError: the assignment cannot be marked with.
        InfrastructureError: a metric that it uses does not give its controls their known values.
        GradebookError: the gradebook cannot be written.
    """
    if order.resume and not (order.out / GRADEBOOK).is_file():
        raise UsageError(f"{order.out} holds no run to resume", remedy="Leave --resume out.")
    slug, out = order.assignment.slug, order.out
    candidates = intake.select(intake.find(order.submissions, slug), order.course.file.attempts)
    # a broken checks.py is said now, once, and not once a submission
    specs = runner.call(tasks.examine, (order.course.folder, slug))
    measures = Counter(kind for spec in specs for kind in spec.measures)
    with claimed(out), _answers(out) as answers, Gradebook.open(out / GRADEBOOK) as gradebook:
        jobs = _jobs(order, len(candidates), measures, warn)
        run = _run(order, gradebook, jobs)
        recorded = gradebook.recorded(run.id)
        left = [item for item in candidates if (item.student, item.sha256, item.attempt) not in recorded]
        done = len(candidates) - len(left)
        plan = _Plan(order, run, runner, jobs, _limit_s(order, measures), server, answers)
        for graded in _marked(plan, left):
            gradebook.record(run.id, graded)
            done += 1
            tell(Progress(graded, run, done, len(candidates)))
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


@contextmanager
def _answers(out: Path) -> Iterator[Path]:
    """A folder in `out`, which is claimed, for as long as this run marks; only its owner can read it."""
    for left in out.glob(f"{ANSWERS}*"):  # by a grader that was killed
        shutil.rmtree(left)
    with TemporaryDirectory(prefix=ANSWERS, dir=out, ignore_cleanup_errors=True) as folder:  # workers may still end
        yield Path(folder)


def fresh_seed() -> int:
    """A secret seed that nobody can guess."""
    return secrets.randbits(SEED_BITS)


def fingerprint(seed: int) -> str:
    """The public name of a secret seed."""
    return hashlib.sha256(f"bareme/{seed}".encode()).hexdigest()[:12]


def _run(order: Order, gradebook: Gradebook, jobs: int) -> RunInfo:
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
        jobs=jobs,
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


def _jobs(order: Order, tasks: int, measures: Mapping[str, int], warn: Callable[[Text], None]) -> int:
    """How many submissions are marked at a time: what is asked for, as far as memory goes."""
    limits = order.assignment.file.limits
    kernels = 1 + bool(measures) + bool(measures.get("perplexity"))  # its own, the solution's, a twin
    each = kernels * (limits.memory_bytes + limits.disk_bytes)  # a sandbox's disk is memory as well
    found = room.allotted(order.jobs, tasks, available_bytes=room.available_bytes(), task_bytes=each)
    remark = found.remark()
    if remark is not None:
        warn(remark)
    return found.jobs


def _limit_s(order: Order, measures: Mapping[str, int]) -> float:
    """How long one submission may keep its worker: measurements need further kernels, with limits of their own."""
    kernels = (2 if measures else 1) + TWINS * measures.get("perplexity", 0)
    return kernels * order.assignment.file.limits.wall_s + SPARE_S


def _marked(plan: _Plan, left: Sequence[Candidate]) -> Iterator[Graded]:
    """Each candidate's result; failures on our side are tried again before they count."""
    for attempt in range(1, TRIES + 1):
        if not left:
            return
        warm = plan.server.address  # by the second time it may be another, or have been given up
        asked = [Task(_job(plan, candidate, warm=warm), plan.limit_s) for candidate in left]
        left = []
        for ended in plan.runner.run(tasks.grade, asked, jobs=plan.jobs):
            graded = ended.result
            if isinstance(graded, Failure):
                graded = tasks.failed(ended.task.argument, graded.reason)
            if graded.status is Status.INFRASTRUCTURE and attempt < TRIES:
                left.append(graded.candidate)
            else:
                yield graded


def _job(plan: _Plan, candidate: Candidate, *, warm: str | None) -> Job:
    order = plan.order
    return Job(
        candidate=candidate,
        course=order.course.folder,
        slug=order.assignment.slug,
        seed=plan.run.seed,
        sandbox=order.sandbox,
        device=order.device,
        warm=warm,
        answers=plan.answers,
    )
