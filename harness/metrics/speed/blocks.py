"""Timed calls, made of three parts: inputs never used before, visits to a kernel, and blocks that go there and back.

Shared by speed, growth and energy. A visit is a few calls to one kernel in a row, on the grader's clock; a block visits
submission and baseline kernel in the order ABBA, so that whatever drifts (temperature, neighbours) meets both alike.
Not covered: how many calls and blocks it takes, and what the figures say (`measure`).
"""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.contract import Baseline, Reading, Refused, Timed, Timing
from harness.records import Text

Arguments = tuple[Any, ...]
Draw = Callable[[np.random.Generator], Arguments]

MOST_NULL_CALLS = 10  # of a block: the median over blocks is then known to a few percent
DRAWS = 100  # in search of an input that has not been used: beyond, `draw` knows too few
RESTARTED = Text(
    "Le noyau de votre notebook a redémarré pendant la mesure : ses durées avant et après ne se comparent pas. "
    "Cherchez ce qui y met fin, par exemple un appel à `exit` ou une mémoire épuisée.",
    "Your notebook's kernel started again while it was being timed: its times before and after do not compare. "
    "Look for what ends it, such as a call to `exit` or memory that ran out.",
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have cost; adds up."""

    calls: int = 0
    cpu_s: float = 0.0  # of the kernel's whole process tree
    wall_s: float = 0.0  # within calls: from sending each request to its answer's arrival
    waited_s: float = 0.0  # threads of the kernel were ready to run and no processor was free

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.calls + other.calls,
            self.cpu_s + other.cpu_s,
            self.wall_s + other.wall_s,
            self.waited_s + other.waited_s,
        )

    @property
    def each(self) -> Self:
        """The mean of one call; `calls` then is 1."""
        return type(self)(1, self.cpu_s / self.calls, self.wall_s / self.calls, self.waited_s / self.calls)


@dataclass(frozen=True, slots=True)
class Visit:
    """A few calls to one kernel in a row."""

    answers: tuple[Any, ...]  # one an input, plain data
    spent: Spent
    before: Reading  # as the first call starts
    after: Reading  # when the last answer has arrived


@dataclass
class Fresh:
    """Draws inputs of which no two are equal: an answer that was remembered is then the answer to something else."""

    draw: Draw
    rng: np.random.Generator
    _used: set[bytes] = field(default_factory=set)

    def take(self, n: int) -> list[Arguments]:
        """`n` inputs that were never taken before.

        Raises:
            ConfigurationError: `draw` gives no tuple, or the same inputs again and again.
        """
        return [self._one() for _ in range(n)]

    def _one(self) -> Arguments:
        for _ in range(DRAWS):
            arguments = self.draw(self.rng)
            if not isinstance(arguments, tuple):
                raise ConfigurationError(
                    f"the inputs to be timed: draw(rng) returned {type(arguments).__name__}, not a tuple of arguments",
                    remedy="Return `(x,)` for a function of one argument.",
                )
            mark = hashlib.blake2b(pickle.dumps(arguments), digest_size=16).digest()
            if mark not in self._used:
                self._used.add(mark)
                return arguments
        raise ConfigurationError(
            f"the inputs to be timed: draw(rng) returned inputs used before {DRAWS} times in a row",
            remedy="Draw from many more values: each call needs an input of its own.",
        )


def visit(function: Timed, inputs: Sequence[Arguments]) -> Visit:
    """Call `function` once for each of `inputs`, each call alone in its request.

    Raises:
        Refused: its kernel started again meanwhile ("restarted").
    """
    return _visit(function, [partial(function.timed, *arguments) for arguments in inputs])


def without_work(baseline: Baseline, inputs: Sequence[Arguments], answers: Sequence[Any]) -> Spent:
    """What it costs to send `inputs` and to take `answers` back, over the very same path, with no work between.

    In the baseline kernel only: a notebook could make its own null calls slow and have more subtracted. A null call
    is two: one hands the answer over and returns nothing, one takes the input and returns the answer. The CPU time of
    the first is what a null call of the answer to nothing costs beyond one of nothing to nothing; it is taken off.

    Raises:
        Refused: the kernel started again meanwhile ("restarted").
    """
    both = _null_visit(baseline, inputs, answers)
    handing_over = _null_visit(baseline, [(answer,) for answer in answers], [None] * len(answers))
    nothing = _null_visit(baseline, [()] * len(answers), [None] * len(answers))
    cpu_s = both.spent.cpu_s - handing_over.spent.cpu_s + nothing.spent.cpu_s / 2
    return replace(both.spent, cpu_s=cpu_s)


def _null_visit(baseline: Baseline, inputs: Sequence[Arguments], answers: Sequence[Any]) -> Visit:
    return _visit(baseline, [partial(baseline.null, *pair) for pair in zip(inputs, answers, strict=True)])


def _visit(function: Timed, calls: Sequence[Callable[[], Timing]]) -> Visit:
    before = function.reading()
    timings = [call() for call in calls]
    after = function.reading()
    spent = Spent(len(calls), wall_s=sum(timing.wall_s for timing in timings)) + between(before, after)
    return Visit(tuple(timing.value for timing in timings), spent, before, after)


def between(before: Reading, after: Reading) -> Spent:
    """What a kernel used from one reading to another, as no calls.

    Raises:
        Refused: it started again between them ("restarted").
    """
    if before.start != after.start:
        raise Refused("restarted", RESTARTED)
    return Spent(cpu_s=after.cpu_s - before.cpu_s, waited_s=after.waited_s - before.waited_s)


@dataclass(frozen=True, slots=True)
class Block:
    """The same inputs given to submission and baseline in turn, and null calls of some of them."""

    subject: Spent  # from the end of the block before: what it burns between its calls is its own
    baseline: Spent
    null: Spent
    idle_cpu_s: float  # the submission's CPU time between its calls, beyond what the baseline's kernel has there
    pairs: tuple[tuple[Any, Any], ...]  # (answer, baseline's answer), one an input
    calls: tuple[tuple[Spent, Spent], ...]  # (submission's, baseline's) of each input, without what lies between calls


class Course:
    """Blocks in a row, of which each begins where the one before ended."""

    def __init__(self, subject: Timed, baseline: Baseline, fresh: Fresh) -> None:
        """The submission's account is open from now on."""
        self._subject = subject
        self._baseline = baseline
        self._fresh = fresh
        self._last = subject.reading()

    def block(self, rounds: int, rng: np.random.Generator) -> Block:
        """Rounds of ABBA: one call to each kernel with one input, then with another in the reverse order.

        Single calls, because a neighbour that comes and goes within tenths of a second then meets both kernels alike.

        Raises:
            Refused: a kernel started again ("restarted").
        """
        began = self._baseline.reading()
        inputs = self._fresh.take(2 * rounds)
        calls = tuple(map(_level, self._rounds(inputs, rng.integers(2, size=rounds).tolist())))
        mine, theirs = (_joined(visits) for visits in calls)
        others = between(began, self._baseline.reading())
        null = without_work(self._baseline, inputs[:MOST_NULL_CALLS], theirs.answers[:MOST_NULL_CALLS])
        used = between(self._last, now := self._subject.reading())
        self._last = now
        return Block(
            subject=replace(mine.spent, cpu_s=used.cpu_s, waited_s=used.waited_s),
            baseline=replace(theirs.spent, cpu_s=others.cpu_s, waited_s=others.waited_s),
            null=null,
            idle_cpu_s=(used.cpu_s - mine.spent.cpu_s) - (others.cpu_s - theirs.spent.cpu_s),
            pairs=tuple(zip(mine.answers, theirs.answers, strict=True)),
            calls=tuple((own.spent, other.spent) for own, other in zip(*calls, strict=True)),
        )

    def _rounds(self, inputs: Sequence[Arguments], orders: Sequence[int]) -> tuple[list[Visit], list[Visit]]:
        """Visits of a single call to the submission, and to the baseline, in the order of `inputs`."""
        visits: tuple[list[Visit], list[Visit]] = ([], [])
        turns = [first for order in orders for first in (order, 1 - order)]
        for arguments, first in zip(inputs, turns, strict=True):
            for which in (first, 1 - first):
                visits[which].append(visit((self._subject, self._baseline)[which], [arguments]))
        return visits


def _level(visits: Sequence[Visit]) -> list[Visit]:
    """What the system counts in ticks, spread evenly.

    That is the work of children that have ended. A call whose child works for 4 ms shows none, or a tick of 10 ms: of
    many in a row this is right, of one it says nothing.
    """
    ticked_s = [one.after.ticked_s - one.before.ticked_s for one in visits]
    mean_s = sum(ticked_s) / len(visits)
    return [
        replace(one, spent=replace(one.spent, cpu_s=one.spent.cpu_s - own_s + mean_s))
        for one, own_s in zip(visits, ticked_s, strict=True)
    ]


def _joined(visits: Sequence[Visit]) -> Visit:
    return Visit(
        tuple(answer for one in visits for answer in one.answers),
        sum((one.spent for one in visits), Spent()),
        visits[0].before,
        visits[-1].after,
    )
