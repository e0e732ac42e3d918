"""One pytest session for one submission, closed off from the machine's configuration, plugins and other sessions.

Not covered: what the checks are given and how they end (`plugin`).
"""

import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TextIO

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from harness.checks.collection import loaded
from harness.checks.measuring import METRICS
from harness.checks.memo import Memo, RememberingOracle
from harness.checks.plugin import Collector, Marker
from harness.errors import ConfigurationError, InfrastructureError
from harness.kernel.contract import Notebook, nobody
from harness.records import CellRun, CheckResult, CheckSpec, Metric

# Parts of pytest that write files, print, or change the whole process (its logging, signal and exception hooks), and
# those that add nothing to checks: each costs every submission a third of a millisecond
UNWANTED = (
    "assertion",
    "cacheprovider",
    "capture",  # three streams that lead nowhere are all that we need of it, see `_pytest`
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "pastebin",
    "recwarn",
    "reports",
    "setuponly",
    "setupplan",
    "stepwise",
    "subtests",
    "terminal",
    "threadexception",
    "unraisableexception",
)
OPTIONS = (
    "-c",
    os.devnull,  # no configuration of the folder, the user or the project
    "--noconftest",
    "--disable-plugin-autoload",
    *(option for name in UNWANTED for option in ("-p", f"no:{name}")),
)
COLLECTING = ("--collect-only",)
RUNNING = ("-p", "no:unittest")  # which collecting needs to see unittest's kind of tests, and to refuse them
LAST = ("last_exc", "last_type", "last_value", "last_traceback")  # left in `sys` by pytest: hold the whole session
# What is imported only when a check asks for it: fixture -> module
LATE = {**METRICS, "same_distribution": "harness.statistics", "torch_rng": "torch"}
ENVIRONMENT = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DEBUG")  # would reach into the session


@dataclass(frozen=True, slots=True)
class Bench:
    """What the checks of one assignment are run with, the same for every submission."""

    checks: Path  # checks.py
    oracle: str  # module of right answers: "reference.ngram"
    slug: str
    seed: int = field(repr=False)  # of the run, secret
    baseline: Callable[[], Notebook] | None = None  # opens the solution's notebook, its cells run and null calls there
    memo: Memo | None = None  # remembers what the oracle answers; None: it is asked each time
    # opens the student's notebook once more, its cells run, its calls numbered from the number given
    twin: Callable[[int], Notebook] | None = None
    failed: CellRun | None = None  # the first of the student's cells that failed, None when all went well
    until_lost: bool = False  # the first check that loses points is the last one run; the others are skipped
    first: Sequence[str] = ()  # with `until_lost`: checks to run before the others


class Marks(NamedTuple):
    """What the checks gave."""

    checks: tuple[CheckResult, ...]
    metrics: dict[str, Metric]


def collect(path: Path) -> tuple[CheckSpec, ...]:
    """What checks.py at `path` declares, in the order of the file.

    Raises:
        ConfigurationError: it cannot be loaded, or a declaration is impossible; the message names the line or the test.
    """
    with loaded(path) as module:
        collector = Collector(path, module)
        _pytest(collector, *COLLECTING)
        return tuple(collector.specs.values())


def prepare(path: Path, oracle: str) -> None:
    """Import what the checks at `path` will import when they are run, and the module `oracle`.

    Raises:
        ConfigurationError: checks.py or the oracle cannot be loaded.
    """
    _oracle(oracle)
    with loaded(path) as module:
        collector = Collector(path, module)
        _pytest(collector, *COLLECTING)
    for fixture, needed in LATE.items():
        if fixture in collector.fixtures:
            importlib.import_module(needed)


def run(bench: Bench, notebook: Notebook, *, select: Sequence[str], tell: Callable[[Marks], None] = nobody) -> Marks:
    """Run the checks whose ids are in `select`, and those they need, against `notebook`; marks for `select`.

    `tell` gets the marks of each of them as soon as it is over; what is returned says the same.
    What the student's code does is an outcome, never an exception.

    Raises:
        ConfigurationError: checks.py or the oracle cannot be loaded, or `select` names no check.
        InfrastructureError: pytest itself failed.
        KeyboardInterrupt: the user stopped it.
    """
    terminal = sys.stdin, sys.stdout, sys.stderr

    def told(result: CheckResult, metrics: dict[str, Metric]) -> None:
        with _streams(*terminal):
            tell(Marks((result,), metrics))

    with loaded(bench.checks) as module:
        marker = Marker(
            bench.checks,
            module,
            notebook=notebook,
            oracle_module=_remembering(_oracle(bench.oracle), bench.memo),
            labels=(bench.seed, bench.slug),
            selected=tuple(select),
            open_baseline=bench.baseline,
            open_twin=bench.twin,
            failed=bench.failed,
            until_lost=bench.until_lost,
            first=bench.first,
            tell=told,
        )
        _pytest(marker, *RUNNING)
        unknown = set(select) - set(marker.specs)
        if unknown:
            problem = f"{bench.checks} declares no check {min(unknown)!r}"
            raise ConfigurationError(problem, remedy=f"Known: {', '.join(marker.specs)}.")
        if marker.interrupted:
            raise KeyboardInterrupt
        return Marks(marker.results(), marker.metrics())


def _pytest(plugin: Collector, *options: str) -> None:
    said = io.BytesIO()
    # What checks.py prints is not for the grader's terminal, nor is what is typed there for checks.py
    nowhere = io.TextIOWrapper(said, encoding="utf-8", write_through=True)
    with _closed_off(), _streams(nowhere, nowhere, nowhere):
        folder = plugin.path.resolve().parent
        # --confcutdir: else every folder above is read as well, entry by entry, twice as long as all the rest takes
        place = (f"--rootdir={folder}", f"--confcutdir={folder}", str(plugin.path.resolve()))
        code = pytest.main([*OPTIONS, *options, *place], plugins=[plugin])
    if plugin.problem is not None:
        raise plugin.problem
    if code is pytest.ExitCode.USAGE_ERROR:
        problem = f"pytest refused to run {plugin.path}: {said.getvalue().decode()}"
        raise InfrastructureError(problem, remedy="Run `bareme doctor`.")


@contextmanager
def _streams(stdin: TextIO, stdout: TextIO, stderr: TextIO) -> Iterator[None]:
    """These are the process's standard streams for a while."""
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def _closed_off() -> Iterator[None]:
    """Neither the environment nor Hypothesis's own folder takes part, and no last exception stays."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        set_hypothesis_home_dir(os.devnull)  # where nothing can be written: a grader that is killed leaves no folder
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)
            for name in LAST:
                vars(sys).pop(name, None)


def _remembering(oracle: ModuleType, memo: Memo | None) -> ModuleType:
    return oracle if memo is None else RememberingOracle(oracle, memo)


def _oracle(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        problem = f"the oracle {name!r} cannot be imported: {error}"
        raise ConfigurationError(
            problem, remedy="Correct `oracle` in assignment.toml, or install its package."
        ) from error
