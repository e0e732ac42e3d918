"""Repetitions: every tool once, then every tool again, so that what else the machine does falls on all alike.

The first round of all is not timed: it warms the file system's cache, and memory is sampled in it.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.throughput.cohort import Student
from benchmarks.throughput.tools import Bareme, Stages, Tool, verify
from benchmarks.throughput.watch import Lane, Usage, run


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    name: str
    what: str  # in words
    tool: Tool
    beside: int = 1  # processes of the tool side by side, each with its share of the notebooks
    first: int | None = None  # marks only so many notebooks; None: all


@dataclass
class Measured:
    """What the runs of one row took."""

    notebooks: int  # marked in each run
    looked: Usage  # the run in which memory was sampled; its times are slower
    timed: list[Usage] = field(default_factory=list)
    stages: list[list[Stages]] = field(default_factory=list)  # of each timed run, of each submission

    def per_notebook_s(self) -> list[float]:
        """Wall seconds a notebook, of each timed run."""
        return [usage.wall_s / self.notebooks for usage in self.timed]

    def cpu_per_notebook_s(self) -> list[float]:
        """The same for CPU time; empty when it could not be measured."""
        return [usage.cpu_s / self.notebooks for usage in self.timed if usage.cpu_s is not None]


@dataclass(frozen=True)
class Middle:
    """The median of some runs, with the least and the most."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Middle":
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, spec: str) -> str:
        middle, low, high = (format(value, spec) for value in (self.median, self.low, self.high))
        return f"{middle} ({low} to {high})"


def repeat(contenders: Sequence[Contender], students: Sequence[Student], *, times: int) -> dict[str, Measured]:
    """Mark the cohort `times` + 1 times with each contender.

    Raises:
        Failed: a command failed, or a tool gave other marks than it must.
    """
    found: dict[str, Measured] = {}
    for contender in contenders:
        usage, _ = _once(contender, students, look=True)
        found[contender.name] = Measured(len(students[: contender.first]), usage)
    for _ in range(times):
        for contender in contenders:
            usage, stages = _once(contender, students, look=False)
            found[contender.name].timed.append(usage)
            found[contender.name].stages.append(stages)
    return found


def own_cost(all_of_them: Measured, one: Measured, own_s: float) -> Middle:
    """bareme's own seconds a notebook: what each further notebook adds to a run, less what its student's code takes.

    `all_of_them` and `one` are runs with one job, of the cohort and of its first notebook; both start alike, so that
    the difference holds no start. `own_s`: cells and check calls of the median student, in a plain process.
    """
    pairs = zip(all_of_them.timed, one.timed, strict=True)
    further = all_of_them.notebooks - one.notebooks
    return Middle.of([(many.wall_s - first.wall_s) / further - own_s for many, first in pairs])


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="throughput-"))
    folder.chmod(0o755)  # sandboxed processes of another user look into it
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _once(contender: Contender, students: Sequence[Student], *, look: bool) -> tuple[Usage, list[Stages]]:
    shares = _shares(students[: contender.first], contender.beside)
    with scratch() as folder:
        lanes = [_lane(contender.tool, folder / str(place), share) for place, share in enumerate(shares)]
        usage = run(lanes, look=look)
        for lane, share in zip(lanes, shares, strict=True):
            verify(contender.tool.marks(lane.folder), contender.tool.expected(share))
        stages = contender.tool.stages(lanes[0].folder) if isinstance(contender.tool, Bareme) else []
    print(f"{contender.name:16} {usage.wall_s:8.2f} s{'  (looked at)' if look else ''}", file=sys.stderr, flush=True)
    return usage, stages


def _shares(students: Sequence[Student], number: int) -> list[Sequence[Student]]:
    return [share for start in range(number) if (share := students[start::number])]


def _lane(tool: Tool, folder: Path, students: Sequence[Student]) -> Lane:
    folder.mkdir()
    return tool.lane(folder, students)
