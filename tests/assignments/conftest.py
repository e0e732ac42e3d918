"""The bundled assignments, their model answers, and a way to hold any functions against their checks."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

import assignments
from harness import checks
from harness.course import Assignment, Course, load_course
from harness.kernel.contract import Answer, Call
from harness.records import CheckResult, Execution, Notice, Outcome, StudentError

Names = Mapping[str, Any]
Mark = Callable[..., dict[str, CheckResult]]
FOLDER = Path(assignments.__path__[0])
COURSE = load_course(FOLDER)


class MemoryNotebook:
    """The contract of `Notebook` around functions of this process; for code that is trusted, as model answers are."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        return tuple(self._answer(call) for call in calls)

    def defined(self, names: Sequence[str]) -> tuple[bool, ...]:
        return tuple(name in self._names for name in names)

    def run_cells(self) -> Execution:
        raise NotImplementedError

    def violations(self) -> tuple[Notice, ...]:
        return ()

    def close(self) -> None:
        raise NotImplementedError

    def _answer(self, call: Call) -> Answer:
        if call.name not in self._names:
            return Answer(Outcome.MISSING)
        try:
            return Answer(Outcome.PASSED, self._names[call.name](*copy.deepcopy(call.args), **call.kwargs))
        except Exception as error:  # noqa: BLE001  # whatever a student function raises is its answer
            return Answer(Outcome.ERROR, error=StudentError(type(error).__name__, str(error), ()))


@pytest.fixture(params=sorted(COURSE.assignments))
def assignment(request: pytest.FixtureRequest) -> Assignment:
    """Each bundled assignment in turn."""
    return COURSE.assignments[request.param]


@pytest.fixture
def course() -> Course:
    return COURSE


@pytest.fixture
def notebook(assignment: Assignment) -> Any:
    """The assignment's source.ipynb, as it is."""
    return read_notebook(assignment)


def read_notebook(assignment: Assignment) -> Any:
    return nbformat.reads((assignment.folder / "source.ipynb").read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture
def solve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the model answer of an assignment as a student would, beside its data; what it defines.

    `slip`: a piece of its code, and what a student wrote there instead."""

    def solve(assignment: Assignment, slip: tuple[str, str] = ("", "")) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        for name in assignment.file.data.student:
            (tmp_path / Path(name).name).write_bytes((assignment.folder / name).read_bytes())
        sources = [cell.source for cell in read_notebook(assignment).cells if cell.cell_type == "code"]
        assert any(slip[0] in source for source in sources)
        module = ModuleType("solution")
        for source in sources:
            exec(source.replace(*slip) if slip[0] else source, module.__dict__)
        return module.__dict__

    return solve


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    """Run every check of an assignment against functions; `alone`: as if no check needed another."""

    def mark(assignment: Assignment, names: Names, *, seed: int = 1, alone: bool = False) -> dict[str, CheckResult]:
        path = assignment.checks
        if alone:
            path = tmp_path / "checks.py"
            path.write_text(re.sub(r"\n    needs=\[.*\],", "", assignment.checks.read_text(encoding="utf-8")))
        bench = checks.Bench(path, assignment.file.oracle, assignment.slug, seed)
        every = [spec.id for spec in checks.collect(path)]
        return {result.id: result for result in checks.run(bench, MemoryNotebook(names), select=every)}

    return mark
