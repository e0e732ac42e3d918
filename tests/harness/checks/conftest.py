"""A notebook of plain Python functions in this process, and a small assignment to hold it against."""

import copy
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import checks
from harness.kernel.contract import Answer, Call, Handle
from harness.records import CellRun, CheckResult, Execution, Outcome, StudentError


class Ends(Exception):
    """Raised by a test's student function: the call ends in the way that is named."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class MemoryNotebook:
    """The contract of `Notebook` around functions of this process; trusted code only."""

    def __init__(self, **names: Any) -> None:
        self.names = names
        self.trips: list[int] = []  # calls in each round trip
        self.kept: list[Any] = []

    def run_cells(self) -> Execution:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def defined(self, names: Sequence[str]) -> tuple[bool, ...]:
        return tuple(name in self.names for name in names)

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        self.trips.append(len(calls))
        return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Call) -> Answer:
        if call.target is None and call.name not in self.names:
            return Answer(Outcome.MISSING)
        function = self.names[call.name] if call.target is None else getattr(self.kept[call.target.id], call.name)
        args = [self._inside(value) for value in call.args]
        before = repr(args)
        try:
            value = function(*args, **call.kwargs)
        except Ends as ends:
            return Answer(ends.outcome)
        except Exception as error:  # noqa: BLE001
            return Answer(Outcome.ERROR, error=StudentError(type(error).__name__, str(error), (), cell=2, line=3))
        changed = repr(args) != before
        return Answer(
            Outcome.PASSED,
            self._outside(value),
            arguments_changed=changed,
            arguments=args if call.in_place else None,
        )

    def _inside(self, value: Any) -> Any:
        return self.kept[value.id] if isinstance(value, Handle) else copy.deepcopy(value)

    def _outside(self, value: Any) -> Any:
        if type(value).__module__ in {"builtins", "numpy", "torch"}:
            return copy.deepcopy(value)
        self.kept.append(value)
        return Handle(len(self.kept) - 1, type(value).__name__, 1)


HEADER = """
import numpy as np
import pytest
from hypothesis import strategies as st
from harness.checks import Mismatch, Text, check
"""
ORACLE = """
def double(x):
    return 2 * x

def total(values):
    return sum(values)
"""
Mark = Callable[..., dict[str, CheckResult]]


@pytest.fixture
def oracle() -> Iterable[ModuleType]:
    """The right answers of the test assignment, importable under its own name."""
    module = ModuleType("checks_test_oracle")
    exec(ORACLE, module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a checks.py with the usual imports."""
    numbers = itertools.count()

    def write(source: str) -> Path:
        folder = tmp_path / f"assignment-{next(numbers)}"
        folder.mkdir()
        path = folder / "checks.py"
        path.write_text(HEADER + textwrap.dedent(source), encoding="utf-8")
        return path

    return write


@pytest.fixture
def mark(write: Callable[[str], Path], oracle: ModuleType) -> Mark:
    """Run all checks of `source` against a notebook of the functions given; results by id."""

    def mark(
        source: str | Path,
        notebook: MemoryNotebook | None = None,
        *,
        seed: int = 1,
        select: Any = None,
        failed: CellRun | None = None,
        **names: Any,
    ) -> dict[str, CheckResult]:
        path = source if isinstance(source, Path) else write(source)
        bench = checks.Bench(path, oracle.__name__, "demo", seed, failed=failed)
        chosen = select or [spec.id for spec in checks.collect(path)]
        results = checks.run(bench, notebook or MemoryNotebook(**names), select=chosen).checks
        return {result.id: result for result in results}

    return mark


@pytest.fixture
def notebook() -> type[MemoryNotebook]:
    """Make a notebook of functions: `notebook(double=lambda x: 2 * x)`."""
    return MemoryNotebook


@pytest.fixture
def ends() -> Callable[[Outcome], Callable[..., Any]]:
    """A student function whose call ends in the way that is named."""

    def ends(outcome: Outcome) -> Callable[..., Any]:
        def function(*args: Any) -> Any:
            raise Ends(outcome)

        return function

    return ends
