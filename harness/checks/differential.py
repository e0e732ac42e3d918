"""Search for an input on which the student's function and the oracle differ, and shrink it to the smallest one.

Inputs are generated first and sent in batches; only a difference is shrunk, by Hypothesis, one call at a time. All
follows from the generator that is given: examples and shrinking steps are bounded by counts, and the clock only stops
what would otherwise take far too long.
Not covered: functions whose right answer is random (`samplers`).
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, Verbosity, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

from harness.checks.compare import about, difference
from harness.checks.failures import Mismatch, NoAnswer
from harness.checks.proxy import Function, args_of, full_name
from harness.checks.show import array_of, brief, call_brief, call_source, is_tensor
from harness.kernel.contract import Answer
from harness.records import Outcome, Text

BATCH = 32  # calls in one round trip: they share one time limit
SHRINKS = 400  # inputs tried while shrinking; small structured inputs need a few dozen
SHRINK_S = 15.0  # a safety net, far beyond what SHRINKS quick calls take
ENDED = {Outcome.TIMEOUT, Outcome.MEMORY, Outcome.CRASHED}  # each costs a new kernel, so these are not shrunk
HOPELESS = {Outcome.MISSING, Outcome.POLICY}  # says nothing about the input
Failure = Mismatch | NoAnswer


@dataclass(frozen=True)
class Differential:
    """The fixture `differential`."""

    random: Random
    shrinks: bool = True  # whether the input that is told is to be the smallest; else it is the first

    def __call__(
        self,
        student: Function,
        oracle: Callable[..., Any],
        inputs: "SearchStrategy[Any] | Sequence[Any]",
        *,
        exact: bool = False,
        rtol: float | None = None,
        examples: int = 100,
    ) -> None:
        """Raise Mismatch or NoAnswer with the smallest input on which `student` is not right.

        Args:
            student, oracle: called with the same arguments; the oracle gets its own copy.
            inputs: a Hypothesis strategy, or a list tried in order and not shrunk. A tuple is several arguments.
            exact, rtol: as in `compare`.
            examples: how many inputs are drawn from a strategy.
        """
        trial = _Trial(student, oracle, exact=exact, rtol=rtol)
        if not isinstance(inputs, SearchStrategy):
            failing = list(islice(trial.failing(list(inputs)), 1))
            if failing:
                raise trial.report(failing[0])
            return
        seed = self.random.getrandbits(64)
        drawn = _drawn(inputs, examples, seed)
        first = next(trial.failing(drawn), None)
        if first is not None and self.shrinks and trial.worth_shrinking(first):
            first = _shrunk(trial, inputs, first, examples=examples, seed=seed)
        if first is not None:
            raise trial.report(first)


@dataclass
class _Trial:
    """One function against its oracle, with every input tried so far."""

    student: Function
    oracle: Callable[..., Any]
    exact: bool
    rtol: float | None
    known: dict[str, Failure | None] = field(default_factory=dict)  # input, see _key -> what is wrong there

    def failing(self, inputs: Sequence[Any]) -> Iterator[Any]:
        """Those of `inputs` that fail, in order, a batch a round trip."""
        for start in range(0, len(inputs), BATCH):
            batch = inputs[start : start + BATCH]
            expected = [self._expected(each) for each in batch]  # first: a fault of the oracle is no student's
            for each, right, answer in zip(batch, expected, self.student.answers(batch), strict=True):
                found = self._judged(each, right, answer)
                if isinstance(found, NoAnswer) and found.outcome is Outcome.TIMEOUT:
                    found = self.alone(each)  # the batch may have run out of time together
                self.known[_key(each)] = found
                if found is not None:
                    yield each

    def worth_shrinking(self, each: Any) -> bool:
        """Whether smaller inputs can be tried without a new kernel each time, and would say something."""
        found = self.known[_key(each)]
        return not (isinstance(found, NoAnswer) and found.outcome in ENDED | HOPELESS)

    def alone(self, each: Any) -> Failure | None:
        """What is wrong with the answer to `each`, called by itself."""
        return self._judged(each, self._expected(each), self.student.answers([each])[0])

    def recall(self, each: Any) -> Failure | None:
        """As `alone`, but no input is tried twice."""
        key = _key(each)
        if key not in self.known:
            self.known[key] = self.alone(each)
        return self.known[key]

    def report(self, each: Any) -> Failure:
        """The failure on `each`, which has been tried, with the input as Python source."""
        found = self.known[_key(each)]
        if found is None:
            raise LookupError(f"no failure is known for {brief(each)}")
        if isinstance(found, NoAnswer) and found.outcome in HOPELESS:
            return found
        if not isinstance(found, NoAnswer) and self.alone(each) is None:
            found.text = self._wavers(each)
        call = self.student.prepared(args_of(each))
        found.counterexample = call_source(full_name(call), call.args, {})
        return found

    def _expected(self, each: Any) -> Any:
        return self.oracle(*copy.deepcopy(args_of(each)))

    def _judged(self, each: Any, expected: Any, answer: Answer) -> Failure | None:
        call = self.student.prepared(args_of(each))
        trouble = self.student.conversation.trouble(call, answer)
        if trouble is not None:
            return trouble
        found = difference(answer.value, expected, exact=self.exact, rtol=self.rtol)
        return None if found is None else Mismatch(about(call_brief(full_name(call), call.args, {}), found))

    def _wavers(self, each: Any) -> Text:
        call = self.student.prepared(args_of(each))
        shown = call_brief(full_name(call), call.args, {})
        return Text(
            f"`{shown}` répond tantôt juste, tantôt faux : la réponse ne doit dépendre que des arguments.",
            f"`{shown}` is sometimes right and sometimes wrong: the answer must depend on the arguments alone.",
        )


def _drawn(inputs: "SearchStrategy[Any]", examples: int, seed: int) -> list[Any]:
    """Up to `examples` inputs, as the strategy makes them."""
    drawn: list[Any] = []

    def keep(each: Any) -> bool:
        drawn.append(copy.deepcopy(each))
        return False

    _search(inputs, keep, examples=examples, phases=[Phase.generate], seed=seed)
    return drawn


def _shrunk(trial: _Trial, inputs: "SearchStrategy[Any]", first: Any, *, examples: int, seed: int) -> Any:
    """The smallest input found that fails in the same way as `first`, which the same seed finds again."""
    way = _outcome(trial.known[_key(first)])
    spare = len(trial.known) + SHRINKS
    end = time.monotonic() + SHRINK_S
    smallest = first

    def fails(each: Any) -> bool:
        nonlocal smallest
        if _key(each) not in trial.known and (len(trial.known) >= spare or time.monotonic() > end):
            return False
        found = trial.recall(each)
        if found is None or _outcome(found) is not way:
            return False
        smallest = copy.deepcopy(each)
        return True

    _search(inputs, fails, examples=examples, phases=[Phase.generate, Phase.shrink], seed=seed)
    return smallest


def _search(
    inputs: "SearchStrategy[Any]", condition: Callable[[Any], bool], *, examples: int, phases: list[Phase], seed: int
) -> None:
    """Hypothesis's search for an input that meets `condition`; the last one met is the smallest."""
    options = settings(
        max_examples=examples, phases=phases, database=None, deadline=None, verbosity=Verbosity.quiet, print_blob=False
    )
    with pytest.MonkeyPatch.context() as patch:
        # Hypothesis also draws constants that it finds in the source of whatever modules are loaded by now: the inputs
        # would then depend on the history of this process, and differ between submissions.
        patch.setattr(HypothesisProvider, "_local_constants", Constants())
        try:
            find(inputs, condition, settings=options, random=Random(seed))  # noqa: S311  # reproducible on purpose
        except NoSuchExample:
            return


def _outcome(found: Failure | None) -> Outcome | None:
    return found.outcome if isinstance(found, NoAnswer) else None


def _key(value: Any) -> str:
    """The whole of an input as text: unlike `repr`, nothing of an array is left out."""
    if is_tensor(value):
        return f"tensor {_key(array_of(value))}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tobytes().hex()}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(map(_key, value))})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{_key(key)}:{_key(item)}' for key, item in value.items())})"
    return repr(value)
