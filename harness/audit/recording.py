"""What the checks ask of a notebook and what it answers: written down, and timed, while it is marked as usual.

Not covered: what is made of it (`nulls`, `examine`).
"""

import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness import pipeline
from harness.audit.bareme_null import is_plain
from harness.checks import Marks
from harness.kernel import Answer, Call, Notebook, nobody
from harness.orders import Job
from harness.records import CellRun, Execution, Graded, Notice, Outcome, Reading


@dataclass(frozen=True, slots=True)
class Recording:
    """A job, and where what was asked during it is written."""

    job: Job
    path: Path


@dataclass(frozen=True, slots=True)
class Timed:
    """A result, and what its checks asked for on the way."""

    graded: Graded
    call_s: float = 0.0  # the slowest round trip
    called: Mapping[str, frozenset[str]] = field(default_factory=dict)  # check -> names that it called


class Recorder:
    """The contract of `Notebook` around another one: every round trip is told, with the time that it took."""

    def __init__(self, tell: Callable[[Sequence[Call], Sequence[Answer], float], None], notebook: Notebook) -> None:
        self._tell = tell
        self._notebook = notebook

    def run_cells(self, tell: Callable[[CellRun], None] = nobody) -> Execution:
        return self._notebook.run_cells(tell)

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        began = time.monotonic()
        answers = self._notebook.call(calls)
        self._tell(calls, answers, time.monotonic() - began)
        return answers

    def violations(self) -> tuple[Notice, ...]:
        return self._notebook.violations()

    def defined(self, names: Sequence[str]) -> tuple[bool, ...]:
        return self._notebook.defined(names)

    def reading(self) -> Reading:
        return self._notebook.reading()

    def close(self) -> None:
        self._notebook.close()


def record(recording: Recording) -> Graded:
    """Mark, and write every call that was answered with plain data: (name, args, kwargs, answer), pickled."""
    heard: list[tuple[object, ...]] = []

    def hear(calls: Sequence[Call], answers: Sequence[Answer], _: float) -> None:
        for call, answer in zip(calls, answers, strict=True):
            if answer.outcome is Outcome.PASSED and is_plain((call.args, dict(call.kwargs), answer.value)):
                heard.append((call.name, tuple(call.args), dict(call.kwargs), answer.value))

    graded = pipeline.grade(recording.job, watch=partial(Recorder, hear))
    recording.path.write_bytes(pickle.dumps(heard))
    return graded


def timed(job: Job) -> Timed:
    """Mark, time the round trips, and note what each check calls."""
    times = [0.0]
    names: set[str] = set()
    called: dict[str, frozenset[str]] = {}

    def hear(calls: Sequence[Call], _: Sequence[Answer], wall_s: float) -> None:
        times.append(wall_s)
        names.update(call.name for call in calls)

    def tell(news: pipeline.News) -> None:
        if isinstance(news, Marks):
            called.update({result.id: frozenset(names) for result in news.checks})
            names.clear()

    graded = pipeline.grade(job, tell, watch=partial(Recorder, hear))
    return Timed(graded, max(times), called)
