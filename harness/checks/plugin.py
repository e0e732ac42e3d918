"""The pytest plugin of one session: fixtures, prerequisites, and what each test's end means for the mark.

Whose fault an exception is follows from where it was raised: the student's, when a comparison, a call or an assertion
written in checks.py says so; ours for everything else, and then nothing is scored.
Not covered: pytest's configuration (`session`), and what checks.py may declare (`collection`).
"""

import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.checks.collection import specs_of
from harness.checks.compare import Compare
from harness.checks.declare import spec_of
from harness.checks.differential import Differential
from harness.checks.failures import Mismatch, NoAnswer
from harness.checks.proxy import Conversation, Submission
from harness.checks.samplers import AlphaBudget
from harness.checks.seeds import numpy_generator, python_generator, torch_generator
from harness.checks.show import clean
from harness.errors import ConfigurationError, InfrastructureError
from harness.kernel.contract import Notebook
from harness.records import CheckResult, CheckSpec, Outcome, Text, Visibility

if TYPE_CHECKING:
    import torch

MESSAGE_CHARS = 2000  # for the student: a few sentences
FAULT_CHARS = 6000  # for the instructor: the inner frames of a traceback


@dataclass(frozen=True)
class Ended:
    """How one test ended."""

    outcome: Outcome
    text: Text | None = None
    counterexample: str | None = None


@dataclass
class _Tally:
    """What is known of one check while its tests run."""

    ended: Ended | None = None
    wall_s: float = 0.0

    def settle(self, ended: Ended) -> None:
        """The first failure counts, but a fault of ours outweighs it."""
        if self.ended is None or self.ended == PASSED or ended.outcome is Outcome.INFRASTRUCTURE:
            self.ended = ended


PASSED = Ended(Outcome.PASSED)
NO_EVIDENCE = Ended(
    Outcome.INFRASTRUCTURE,
    Text(
        "La vérification n'a reçu aucune réponse du notebook et ne prouve donc rien : corrigez checks.py.",
        "The check got no answer from the notebook and so proves nothing: correct checks.py.",
    ),
)
NEVER_RUN = Ended(Outcome.INFRASTRUCTURE, Text("La vérification n'a pas été exécutée.", "The check was not run."))


@dataclass
class Collector:
    """Finds the checks in a module that has been loaded already."""

    path: Path
    module: ModuleType
    specs: dict[str, CheckSpec] = field(default_factory=dict)
    problem: Exception | None = None  # what broke in pytest, or in reading the declarations

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module:
        node: pytest.Module = pytest.Module.from_parent(parent, path=module_path)
        node.obj = self.module  # pytest would import the file itself and keep it in sys.modules
        return node

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            broken = f"{self.path}: {clean(report.longreprtext, chars=MESSAGE_CHARS)}"
            self.problem = self.problem or ConfigurationError(broken, remedy="Correct the file.")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        try:
            self.specs = specs_of(items, self.path)
        except ConfigurationError as error:
            self.problem = self.problem or error
            items.clear()

    def pytest_internalerror(self, excrepr: object) -> None:
        problem = f"pytest failed: {str(excrepr)[-FAULT_CHARS:]}"
        self.problem = self.problem or InfrastructureError(problem, remedy="Report it with this text.")


@dataclass(kw_only=True)
class Marker(Collector):
    """Runs the checks that are selected, and those they need, against one notebook."""

    notebook: Notebook
    oracle_module: ModuleType
    labels: tuple[int, str]  # the run's seed, the assignment's slug
    selected: Sequence[str]
    interrupted: bool = False
    alpha: AlphaBudget = field(default_factory=AlphaBudget)
    conversation: Conversation | None = None  # of the test that runs
    tallies: dict[str, _Tally] = field(default_factory=dict)

    @pytest.fixture
    def submission(self) -> Submission:
        """The student's notebook."""
        return Submission(self._talk())

    @pytest.fixture
    def oracle(self) -> ModuleType:
        """The module of right answers that assignment.toml names."""
        return self.oracle_module

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        """NumPy's generator for this check: the same for every submission of a run."""
        return numpy_generator(*self.labels, request.node.name)

    @pytest.fixture
    def torch_rng(self, request: pytest.FixtureRequest) -> "torch.Generator":
        """torch's generator for this check."""
        return torch_generator(*self.labels, request.node.name)

    @pytest.fixture
    def compare(self) -> Compare:
        """Hold an answer against the oracle's."""
        return Compare(self._talk().subject)

    @pytest.fixture
    def differential(self, request: pytest.FixtureRequest) -> Differential:
        """Search for the smallest input on which student and oracle differ."""
        return Differential(python_generator(*self.labels, request.node.name, "differential"))

    @pytest.fixture
    def same_distribution(self) -> AlphaBudget:
        """Test draws against their distribution."""
        return self.alpha

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        super().pytest_collection_modifyitems(items)
        order = {check: place for place, check in enumerate(self._with_needs())}
        items[:] = [item for item in items if _id(item) in order]
        items.sort(key=lambda item: order[_id(item)])  # pytest may have grouped them by fixture

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """True, so that nothing runs, for a check that is settled already or cannot be passed."""
        tally = self.tallies.setdefault(_id(item), _Tally())
        tally.ended = tally.ended or self._blocked(self.specs[_id(item)])
        if tally.ended is not None and tally.ended.outcome is not Outcome.PASSED:
            return True
        self.conversation = Conversation(self.notebook)
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        tally = self.tallies[_id(item)]
        tally.wall_s += call.duration
        if call.excinfo is not None:
            tally.settle(ended_by(call.excinfo.value, self.path))
        elif call.when == "call":
            tally.settle(PASSED if self._talk().answered else NO_EVIDENCE)
        return (yield)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupted = excinfo.errisinstance(KeyboardInterrupt)  # pytest.exit comes here too

    def results(self) -> tuple[CheckResult, ...]:
        """One result for each selected check, in the order of the file."""
        return tuple(self._result(spec) for spec in self.specs.values() if spec.id in self.selected)

    def _talk(self) -> Conversation:
        if self.conversation is None:
            raise LookupError("no test is running")
        return self.conversation

    def _with_needs(self) -> list[str]:
        """What is selected and all that it builds on: public checks first, else in the order of the file.

        A function could keep what a hidden check sends it and say it in the message of a later, public one.
        """
        wanted = set(self.selected)
        for spec in reversed(self.specs.values()):
            if spec.id in wanted:
                wanted.update(spec.needs)
        return sorted((check for check in self.specs if check in wanted), key=self._secret)

    def _secret(self, check: str) -> bool:
        return self.specs[check].visibility is not Visibility.PUBLIC

    def _blocked(self, spec: CheckSpec) -> Ended | None:
        for need in spec.needs:
            if self.tallies[need].ended != PASSED:
                title = self.specs[need].title
                fr = f"Non exécutée : cette vérification a besoin de « {title.fr} », qui n'a pas réussi."
                en = f"Not run: this check needs “{title.en}”, which did not pass."
                return Ended(Outcome.SKIPPED, Text(fr, en))
        return None

    def _result(self, spec: CheckSpec) -> CheckResult:
        tally = self.tallies.get(spec.id, _Tally())
        ended = tally.ended or NEVER_RUN
        return CheckResult(
            id=spec.id,
            title=spec.title,
            visibility=spec.visibility,
            points=spec.points if ended == PASSED else 0.0,
            max_points=spec.points,
            outcome=ended.outcome,
            message=ended.text,
            counterexample=ended.counterexample,
            wall_s=tally.wall_s,
        )


def _id(item: pytest.Item) -> str:
    spec = spec_of(item)
    if spec is None:
        raise LookupError(f"{item.name} is no check")  # refused by specs_of before it could run
    return spec.id


def ended_by(error: BaseException, path: Path) -> Ended:
    """What `error`, which ended a test of the checks in `path`, means for the mark."""
    if isinstance(error, Mismatch):
        return Ended(Outcome.FAILED, error.text, error.counterexample)
    if isinstance(error, NoAnswer):
        return Ended(error.outcome, error.text, error.counterexample)
    frames = traceback.extract_tb(error.__traceback__)
    asserted = isinstance(error, AssertionError) and frames[-1].filename == str(path)
    if asserted or isinstance(error, pytest.fail.Exception):
        return Ended(Outcome.FAILED, _asserted(error, frames[-1].line or ""))
    own = [place for place, frame in enumerate(frames) if frame.filename == str(path)]
    shown = "".join(traceback.format_list(frames[own[0] if own else 0 :]))
    last = "".join(traceback.format_exception_only(error))
    fault = "\n".join(clean(line) for line in f"{shown}{last}"[-FAULT_CHARS:].splitlines())
    return Ended(
        Outcome.INFRASTRUCTURE,
        Text(f"La vérification elle-même a échoué :\n{fault}", f"The check itself failed:\n{fault}"),
    )


def _asserted(error: BaseException, line: str) -> Text:
    """The text of a plain assertion; the assertion itself when it has none."""
    given = error.args[0] if error.args else None
    if isinstance(given, Text):
        return Text(clean(given.fr, chars=MESSAGE_CHARS), clean(given.en, chars=MESSAGE_CHARS))
    if given is not None:
        return Text(*(clean(str(given), chars=MESSAGE_CHARS),) * 2)
    condition = clean(line.removeprefix("assert "))
    return Text(f"Cette condition n'est pas remplie : `{condition}`.", f"This does not hold: `{condition}`.")
