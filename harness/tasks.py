"""What workers are asked to do. Each imports what it takes where it is done: the grader itself waits for none of that.

Not covered: how it is done (`pipeline`), and the workers (`runners`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.orders import Job
    from harness.records import CheckSpec, Graded


def prepare(folder: str, *slugs: str) -> None:
    """Where workers are forked from: all that marking these assignments of the course in `folder` takes."""
    import typer  # noqa: F401  # for the command's main module, which multiprocessing has each worker run once more

    from harness import pipeline

    for slug in slugs:
        pipeline.prepare(Path(folder), slug)


def examine(place: tuple[Path, str]) -> "tuple[CheckSpec, ...]":
    """See `pipeline.examine`."""
    from harness import pipeline

    return pipeline.examine(place)


def grade(job: "Job") -> "Graded":
    """See `pipeline.grade`."""
    from harness import pipeline

    return pipeline.grade(job)


def failed(job: "Job", reason: str) -> "Graded":
    """See `pipeline.failed`; of use to the grader itself, when a worker has hung or died."""
    from harness import pipeline

    return pipeline.failed(job, reason)
