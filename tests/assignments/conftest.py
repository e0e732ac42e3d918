"""The bundled assignments, their model answers, and a way to hold any functions against their checks."""

import copy
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
import torch  # noqa: F401  # its threads are limited only once it is there
from threadpoolctl import threadpool_limits

import assignments
from harness import checks
from harness.audit.bareme_null import is_plain
from harness.checks import differential
from harness.course import Assignment, Course, load_course
from harness.kernel import wire
from harness.kernel.contract import Answer, Call, Handle, nobody
from harness.records import CheckResult, Execution, Notice, Outcome, Reading, StudentError

Names = Mapping[str, Any]
Mark = Callable[..., dict[str, CheckResult]]
AGAINST_SOLUTION = {"energy", "growth", "speed"}
FOLDER = Path(assignments.__path__[0])
COURSE = load_course(FOLDER)


class MemoryNotebook:
    """The contract of `Notebook` around functions of this process; for code that is trusted, as model answers are."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._kept: list[Any] = []  # objects that are no plain data: the grader has handles of them

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        return tuple(self._answer(call) for call in calls)

    def defined(self, names: Sequence[str]) -> tuple[bool, ...]:
        return tuple(name in self._names for name in names)

    def run_cells(self) -> Execution:
        raise NotImplementedError

    def violations(self) -> tuple[Notice, ...]:
        return ()

    def reading(self) -> Reading:
        return Reading(cpu_s=time.process_time(), waited_s=0.0, peak_memory_bytes=0, start=1)

    def close(self) -> None:
        raise NotImplementedError

    def _answer(self, call: Call) -> Answer:
        if call.target is None and call.name not in self._names:
            return Answer(Outcome.MISSING)
        try:
            function = self._names[call.name] if call.target is None else getattr(self._kept[call.target.id], call.name)
            value = function(*map(self._inside, call.args), **call.kwargs)
        except Exception as error:  # noqa: BLE001  # whatever a student function raises is its answer
            return Answer(Outcome.ERROR, error=StudentError(type(error).__name__, str(error), ()))
        return Answer(Outcome.PASSED, value if is_plain(value) else self._handle(value))

    def _inside(self, value: Any) -> Any:
        return self._kept[value.id] if isinstance(value, Handle) else copy.deepcopy(value)

    def _handle(self, value: Any) -> Handle:
        self._kept.append(value)
        return Handle(len(self._kept) - 1, type(value).__name__, start=1)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads wait for each other longer than such small tensors take: up to six times as long on a busy machine."""
    with threadpool_limits(1):
        yield


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

    `slip`: a piece of its code, and what a student wrote there instead; the cells after the last solution, which show
    what it can do, are then left out. `watch`: told of the scope after each cell."""

    def solve(
        assignment: Assignment, slip: tuple[str, str] = ("", ""), watch: Callable[[Names], None] = nobody
    ) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        for name in assignment.file.data.student:
            (tmp_path / Path(name).name).write_bytes((assignment.folder / name).read_bytes())
        cells = [cell for cell in read_notebook(assignment).cells if cell.cell_type == "code"]
        if slip[0]:
            last = max(place for place, cell in enumerate(cells) if "solution" in cell.metadata.get("tags", []))
            cells = cells[: last + 1]
        sources = [cell.source for cell in cells]
        assert any(slip[0] in source for source in sources)
        module = ModuleType("solution")
        for source in sources:
            exec(source.replace(*slip) if slip[0] else source, module.__dict__)
            watch(module.__dict__)
        return module.__dict__

    return solve


@pytest.fixture(scope="session")
def memo() -> checks.Memo:
    """What the oracle has answered: many tests ask the same of it."""
    return checks.Memo(wire.encode, wire.decode, checks.Answers(None))


@pytest.fixture
def mark(memo: checks.Memo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mark:
    """Run the checks of an assignment against functions, but for those that compare kernels.

    `alone`: as if no check needed another, nothing shrunk. `only`: these checks, and those that they need.
    `but`: checks that are not run."""

    def mark(
        assignment: Assignment,
        names: Names,
        *,
        seed: int = 1,
        alone: bool = False,
        only: Collection[str] = (),
        but: Collection[str] = (),
    ) -> dict[str, CheckResult]:
        path = assignment.checks
        if alone:
            monkeypatch.setattr(differential._Trial, "worth_shrinking", lambda *_: False)  # fails on the first input
            path = tmp_path / "checks.py"
            data = assignment.folder / "data"
            if data.is_dir() and not (tmp_path / "data").exists():
                (tmp_path / "data").symlink_to(data)  # checks.py may read what lies beside it
            path.write_text(re.sub(r"\s+needs=\[[^]]*\],?", "", assignment.checks.read_text(encoding="utf-8")))
        bench = checks.Bench(path, assignment.file.oracle, assignment.slug, seed, memo=memo)
        specs = [spec for spec in checks.collect(path) if not AGAINST_SOLUTION & set(spec.measures)]
        chosen = list(only) or [spec.id for spec in specs if spec.id not in but]
        return {result.id: result for result in checks.run(bench, MemoryNotebook(names), select=chosen).checks}

    return mark
