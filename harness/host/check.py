"""One notebook checked for its author: the public checks only, each thing told as soon as it is known.

The same function serves a command that does it by itself and a worker of the host.
Not covered: how it is marked (`pipeline`), how it looks (`terminal`), who calls this (`client`, `worker`).
"""

import secrets
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness import doctor, intake, pipeline, sandbox
from harness.checks import Marks
from harness.course import Course
from harness.errors import ExitCode, UnreadableSubmission, UsageError
from harness.host.kernels import Offer
from harness.host.order import Order
from harness.orders import Job
from harness.records import CellRun, Graded, Outcome, Status, Submission, Text
from harness.terminal import Feedback, Terminal

SEED_BITS = 128  # not to be guessed


def check(order: Order, offer: Offer, *, say: Text | None = None) -> ExitCode:
    """Check the notebook and print what is found on this process's standard output; first `say`, where that is given.

    A kernel of a fork server in `offer` that ends by our own fault is replaced by one that starts cold.

    Raises:
        UsageError: there is no such file or assignment, or the assignment cannot be told.
        UnreadableSubmission: the file is no notebook.
        SandboxUnavailable: nothing can contain it on this machine.
        KeyboardInterrupt: the user stopped it, or nobody reads any more what is printed.
    """
    course, notebook = pipeline.load(Path(order.course)), Path(order.notebook)
    assignment = course.assignment(order.assignment or guess(notebook, course))
    screen = Terminal(order.language or course.file.language)
    for warning in (say, sandbox.warning(sandbox.choose(order.sandbox))):
        if warning is not None:
            screen.warn(warning)
    job = Job(
        candidate=intake.select(intake.find(notebook, assignment.slug), "last")[-1],
        course=course.folder,
        slug=assignment.slug,
        seed=secrets.randbits(SEED_BITS),  # nobody replays a self-check: it is kept nowhere
        sandbox=order.sandbox,
        device=doctor.device(order.device, assignment.file.device),
        audience="student",
    )
    feedback = Feedback(screen, assignment.file.title)
    kernels = "cold" if order.sandbox == "plain" else order.kernels
    with offer.address(course, assignment, kernels=kernels, device=job.device) as address:
        graded = _graded(job, address, again=address if kernels == "warm" else None, tell=partial(_tell, feedback))
    if graded.status is Status.UNREADABLE:
        raise UnreadableSubmission(order.notebook, graded.notices[0].text)
    feedback.close(graded)
    return _code(graded)


def _graded(job: Job, address: str | None, *, again: str | None, tell: pipeline.Tell) -> Graded:
    """Marked with kernels of the fork server at `address`; should that fail, once more with those at `again`."""
    graded = pipeline.grade(replace(job, warm=address), tell)
    if address is not None and graded.status is Status.INFRASTRUCTURE:
        graded = pipeline.grade(replace(job, warm=again), tell)
    return graded


def guess(notebook: Path, course: Course) -> str:
    """The assignment that `notebook` belongs to: the one its name says, else the one whose entry points it defines.

    Raises:
        UsageError: neither tells.
    """
    named = [slug for slug in course.assignments if slug in notebook.name.lower()]
    if len(named) == 1:
        return named[0]
    text = notebook.read_text(encoding="utf-8", errors="replace") if notebook.is_file() else ""
    scores = {
        slug: sum(f"def {entry.name}(" in text for entry in assignment.file.entry_points)
        for slug, assignment in course.assignments.items()
    }
    best = max(scores, key=lambda slug: scores[slug], default="")
    if not scores.get(best) or list(scores.values()).count(scores[best]) > 1:
        known = ", ".join(sorted(course.assignments))
        raise UsageError(f"{notebook}: its assignment cannot be told", remedy=f"Add it after the notebook: {known}.")
    return best


def _tell(feedback: Feedback, news: pipeline.News) -> None:
    try:
        match news:
            case Submission():
                feedback.read(news)
            case CellRun():
                feedback.ran(news)
            case Marks():
                feedback.checked(news.checks[0], news.metrics)
    except (BrokenPipeError, SystemExit):  # the second is what Rich makes of the first: nobody reads on
        raise KeyboardInterrupt from None


def _code(graded: Graded) -> ExitCode:
    if graded.status is Status.INFRASTRUCTURE:
        return ExitCode.INFRASTRUCTURE
    passed = graded.checks and all(result.outcome is Outcome.PASSED for result in graded.checks)
    return ExitCode.DONE if passed else ExitCode.BELOW
