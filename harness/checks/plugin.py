"""The pytest plugin of one session: fixtures, prerequisites, and what each test's end means for the mark.

Whose fault an exception is follows from where it was raised: the student's, when a comparison, a call or an assertion
written in checks.py says so; ours for everything else, and then nothing is scored.
Not covered: pytest's configuration (`session`), and what checks.py may declare (`collection`).
"""

import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.checks.collection import SEEN_BY, fixtures_of, specs_of
from harness.checks.compare import Compare
from harness.checks.declare import spec_of
from harness.checks.differential import Differential
from harness.checks.failures import Mismatch, NoAnswer
from harness.checks.history import History
from harness.checks.measuring import DECIMALS, ENTIRE, Findings, Measure, RetrievalMeasure
from harness.checks.proxy import Conversation, Submission
from harness.checks.samplers import AlphaBudget
from harness.checks.seeds import numpy_generator, python_generator, torch_generator
from harness.checks.show import clean
from harness.errors import ConfigurationError, InfrastructureError, MissingExtra
from harness.kernel.contract import Notebook
from harness.metrics.contract import Refused
from harness.records import CellRun, CheckResult, CheckSpec, Metric, Outcome, Text

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

    findings: Findings
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
NO_SOLUTION = Text(
    "Non exécutée : cette vérification compare votre notebook à la solution, ce qui se fait lors de la correction.",
    "Not run: this check compares your notebook with the solution, which is done when it is marked.",
)
ENOUGH = Ended(
    Outcome.SKIPPED,
    Text("Non exécutée : une autre a déjà perdu des points.", "Not run: another one has lost points already."),
)
NEVER_RUN = Ended(Outcome.INFRASTRUCTURE, Text("La vérification n'a pas été exécutée.", "The check was not run."))


@dataclass
class Collector:
    """Finds the checks in a module that has been loaded already."""

    path: Path
    module: ModuleType
    specs: dict[str, CheckSpec] = field(default_factory=dict)
    fixtures: set[str] = field(default_factory=set)  # that any of them asks for
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
            self.fixtures.update(*map(fixtures_of, items))
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
    open_baseline: Callable[[], Notebook] | None = None
    open_twin: Callable[[int], Notebook] | None = None  # from the number of calls made before
    failed: CellRun | None = None  # the first of the notebook's cells that failed
    tell: Callable[[CheckResult, dict[str, Metric]], None] | None = None  # each selected check as soon as it is over
    until_lost: bool = False  # whether any check loses points is all that is asked: the first one ends it
    first: Sequence[str] = ()  # with `until_lost`: checks that are run before the others
    lost: bool = False  # whether one has
    interrupted: bool = False
    alpha: AlphaBudget = field(default_factory=AlphaBudget)
    conversation: Conversation | None = None  # of the test that runs
    solution: Notebook | None = None  # opened by the first check that compares with it
    calls: int = 0  # made by the tests before the one that runs
    tallies: dict[str, _Tally] = field(default_factory=dict)
    last: dict[str, pytest.Item] = field(default_factory=dict)  # check -> the test that it ends with

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
        chance = python_generator(*self.labels, request.node.name, "differential")
        return Differential(chance, shrinks=not self.until_lost)

    @pytest.fixture
    def same_distribution(self) -> AlphaBudget:
        """Test draws against their distribution."""
        return self.alpha

    @pytest.fixture
    def baseline(self) -> Submission:
        """The solution in a kernel of its own, which speed and energy are compared with."""
        if self.open_baseline is None:
            raise NoAnswer(Outcome.SKIPPED, NO_SOLUTION)
        self.solution = self.solution or self.open_baseline()
        return Submission(Conversation(self.solution))

    @pytest.fixture
    def perplexity(self, request: pytest.FixtureRequest) -> Measure:
        """Bits per byte of a language model, see `harness.metrics.perplexity`."""
        history = self._talk().history
        measure = Measure("perplexity", *self._measured(request))
        return measure if history is None else replace(measure, during=history.paused)

    @pytest.fixture
    def retrieval(self, request: pytest.FixtureRequest) -> RetrievalMeasure:
        """nDCG@10 and more of a search, see `harness.metrics.retrieval`."""
        return RetrievalMeasure("retrieval", *self._measured(request))

    @pytest.fixture
    def speed(self, request: pytest.FixtureRequest) -> Measure:
        """How many times as fast as the baseline, see `harness.metrics.speed`."""
        return Measure("speed", *self._measured(request))

    @pytest.fixture
    def growth(self, request: pytest.FixtureRequest) -> Measure:
        """How time or memory grows with the input, see `harness.metrics.growth`."""
        return Measure("growth", *self._measured(request))

    @pytest.fixture
    def energy(self, request: pytest.FixtureRequest) -> Measure:
        """Joules a call, see `harness.metrics.energy`."""
        return Measure("energy", *self._measured(request))

    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.tbstyle = "value"  # nobody reads the sources around a check that failed: 12 ms each

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        super().pytest_collection_modifyitems(items)
        order = {check: place for place, check in enumerate(self._with_needs())}
        items[:] = [item for item in items if _id(item) in order]
        items.sort(key=lambda item: order[_id(item)])  # pytest may have grouped them by fixture
        self.last = {_id(item): item for item in items}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """True, so that nothing runs, for a check that is settled already or cannot be passed."""
        tally = self._tally(_id(item))
        tally.ended = tally.ended or self._blocked(self.specs[_id(item)]) or self._enough()
        if tally.ended is not None and tally.ended.outcome is not Outcome.PASSED:
            self._over(item)
            return True
        self.calls += 0 if self.conversation is None else self.conversation.calls
        self.conversation = Conversation(self.notebook, self._history(self.specs[_id(item)]), failed=self.failed)
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
            tally.settle(self._passed(tally.findings))
        if call.when == "teardown":
            self._over(item)
        return (yield)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupted = excinfo.errisinstance(KeyboardInterrupt)  # pytest.exit comes here too

    def results(self) -> tuple[CheckResult, ...]:
        """One result for each selected check, in the order of the file."""
        return tuple(self._result(spec) for spec in self.specs.values() if spec.id in self.selected)

    def metrics(self) -> dict[str, Metric]:
        """What was measured by the selected checks."""
        return {key: metric for result in self.results() for key, metric in self._metrics(result).items()}

    def _metrics(self, result: CheckResult) -> dict[str, Metric]:
        return self._tally(result.id).findings.metrics(self.specs[result.id], result.points)

    def _over(self, item: pytest.Item) -> None:
        """With the last of its tests, a check has ended: tell how."""
        check = _id(item)
        if self.last[check] is not item:
            return
        result = self._result(self.specs[check])
        self.lost = self.lost or result.points < result.max_points
        if self.tell is not None and check in self.selected:
            self.tell(result, self._metrics(result))

    def _tally(self, check: str) -> _Tally:
        return self.tallies.setdefault(check, _Tally(Findings(check)))

    def _history(self, spec: CheckSpec) -> History | None:
        """What a check asks is kept where it needs twins: to see that a model does not look ahead."""
        if self.open_twin is None or "perplexity" not in spec.measures:
            return None
        return History(partial(self.open_twin, self.calls))

    def _measured(self, request: pytest.FixtureRequest) -> tuple[np.random.Generator, Findings]:
        """Randomness of its own for each fixture that measures, and where it records."""
        rng = numpy_generator(*self.labels, request.node.name, str(request.fixturename))
        return rng, self._tally(_id(request.node)).findings

    def _passed(self, findings: Findings) -> Ended:
        if not self._talk().answered:
            return NO_EVIDENCE
        shortfall = findings.shortfall()
        return PASSED if shortfall is None else Ended(Outcome.FAILED, shortfall)

    def _talk(self) -> Conversation:
        if self.conversation is None:
            raise LookupError("no test is running")
        return self.conversation

    def _with_needs(self) -> list[str]:
        """What is selected and all that it builds on, the least secret first, else in the order of the file.

        A function could keep what a hidden check sends it, and say it to a later check whose messages are told.
        Where nobody is told and the first loss ends it all, what may well lose comes first and what takes long last.
        """
        wanted = self._and_needs(self.selected)
        likely = self._and_needs(self.first)
        if self.until_lost:
            return sorted(wanted, key=lambda check: (self._measures(check), check not in likely))
        return sorted(wanted, key=self._secrecy)

    def _and_needs(self, checks: Sequence[str]) -> list[str]:
        """`checks` and all that they build on, in the order of the file."""
        wanted = set(checks)
        for spec in reversed(self.specs.values()):
            if spec.id in wanted:
                wanted.update(spec.needs)
        return [check for check in self.specs if check in wanted]

    def _secrecy(self, check: str) -> int:
        return len(SEEN_BY[self.specs[check].visibility])

    def _measures(self, check: str) -> bool:
        """Whether it, or something that it needs, measures: that takes kernels of its own."""
        spec = self.specs[check]
        return bool(spec.measures) or any(map(self._measures, spec.needs))

    def _blocked(self, spec: CheckSpec) -> Ended | None:
        for need in spec.needs:
            if self.tallies[need].ended != PASSED:
                title = self.specs[need].title
                fr = f"Non exécutée : cette vérification a besoin de « {title.fr} », qui n'a pas réussi."
                en = f"Not run: this check needs “{title.en}”, which did not pass."
                return Ended(Outcome.SKIPPED, Text(fr, en))
        return None

    def _enough(self) -> Ended | None:
        return ENOUGH if self.until_lost and self.lost else None

    def _result(self, spec: CheckSpec) -> CheckResult:
        tally = self._tally(spec.id)
        ended = tally.ended or NEVER_RUN
        share = tally.findings.share if ended == PASSED else 0.0
        return CheckResult(
            id=spec.id,
            title=spec.title,
            visibility=spec.visibility,
            points=spec.points if share == ENTIRE else round(spec.points * share, DECIMALS),
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
    if isinstance(error, Refused):
        return Ended(Outcome.FAILED, error.text)
    if isinstance(error, MissingExtra):  # in a self-check: where a cohort is marked, controls ask for it first
        fr = f"Non exécutée : il manque de quoi la mesurer ici. Pour l'ajouter : `{error.remedy}`."
        en = f"Not run: what it is measured with is missing here. To add it: `{error.remedy}`."
        return Ended(Outcome.SKIPPED, Text(fr, en))
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
