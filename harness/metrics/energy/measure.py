"""Joules a call, beside the baseline's, and the grams of CO2 equivalent that they stand for (docs/metrics/energy.md).

Covers the order of things and the figures. Not covered: meters (`settings.choose`), joules per point earned: points are
known when the check is over, and boards divide.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.contract import Baseline, Measurement, Refused, Timed, Timing
from harness.metrics.energy.meters import Meter
from harness.metrics.energy.settings import Settings, choose
from harness.metrics.speed.blocks import Arguments, Draw, Fresh, between
from harness.records import Better, Fact, Text
from harness.statistics import Interval, median_interval

Same = Callable[[Any, Any], None]  # (answer, expected); raises what the check raises for a wrong answer

WARM_UP = 3  # calls to each kernel before any counts
MOST_CALLS = 500  # a visit
IDLE_S = 2.0  # during which power at rest is measured, before the first block
BUSY_AT_REST = 0.02  # of a processor used by the submission's kernel while nothing is asked of it
MILLION = 10**6
TOO_LITTLE = Text(
    "L'énergie de votre fonction ne se distingue pas de celle d'appels à vide : elle ne peut pas être comparée. "
    "Vérifiez que le travail est fait pendant l'appel.",
    "The energy of your function cannot be told from that of calls without work: it cannot be compared. "
    "See that the work is done during the call.",
)
RESTLESS = Text(
    "Votre notebook calcule encore quand rien ne lui est demandé : la puissance au repos, qui est soustraite, ne peut "
    "pas être mesurée. Arrêtez les fils d'exécution et les processus que vous lancez.",
    "Your notebook goes on computing while nothing is asked of it: power at rest, which is subtracted, cannot be "
    "measured. Stop the threads and processes that you start.",
)


@dataclass(frozen=True, slots=True)
class Charge:
    """What some calls have drawn."""

    joules: float  # with everything else on the device, if the meter sees that
    wall_s: float
    answers: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Joules a call, in one block, power at rest and a null call taken off."""

    subject: float
    baseline: float


@dataclass
class Account:
    """A meter, and what is taken off all that it counts."""

    meter: Meter
    idle_w: float = 0.0  # that the device draws at rest
    null_j: float = 0.0  # of a call without work

    def charge(self, function: Timed, calls: Sequence[Callable[[], Timing]]) -> Charge:
        """Make `calls` to one kernel and count what they draw.

        Raises:
            Refused: the kernel started again meanwhile ("restarted").
        """
        before = function.reading()
        began = time.perf_counter()
        self.meter.begin()
        timings = [call() for call in calls]
        after = function.reading()
        joules = self.meter.end(between(before, after).cpu_s)
        wall_s = time.perf_counter() - began
        return Charge(joules - self.idle_w * wall_s, wall_s, tuple(timing.value for timing in timings))

    def visit(self, function: Timed, inputs: Sequence[Arguments]) -> Charge:
        """One call for each of `inputs`."""
        return self.charge(function, [partial(function.timed, *arguments) for arguments in inputs])

    def enough(self, seconds_a_call: float) -> int:
        """How many calls a visit the meter needs, to resolve them."""
        return min(MOST_CALLS, math.ceil(self.meter.least_s / seconds_a_call))

    def null_joules(self, baseline: Baseline, pair: tuple[Arguments, Any]) -> float:
        """Joules of a call without work that takes and returns `pair`.

        A null call is two: one hands the answer over, one takes the input and returns the answer. The first is what a
        null call of the answer to nothing draws beyond one of nothing to nothing; it is taken off.
        """
        arguments, answer = pair
        both, handing_over, nothing = (
            self._null(baseline, *each) for each in ((arguments, answer), ((answer,), None), ((), None))
        )
        return max(0.0, both - handing_over + nothing / 2)

    def _null(self, baseline: Baseline, arguments: Arguments, answer: Any) -> float:
        call = partial(baseline.null, arguments, answer)
        trial = self.charge(baseline, [call] * WARM_UP)
        calls = self.enough(trial.wall_s / WARM_UP)
        return self.charge(baseline, [call] * calls).joules / calls


def measure(
    subject: Timed,
    baseline: Baseline,
    draw: Draw,
    *,
    rng: np.random.Generator,
    same: Same,
    settings: Settings,
) -> tuple[Measurement, ...]:
    """Joules a call, their ratio to the baseline's, and grams of CO2 equivalent for a million calls.

    Medians over blocks in the order ABBA, with `median_interval` of their logarithms. It holds what repeats differ by;
    it does not hold how wrong a meter is, nor the assumed watts of an estimate.

    Args:
        subject: the function of the student's notebook.
        baseline: the same function of the solution's notebook in a kernel of its own.
        draw: makes the arguments of one call, as a tuple; new values each time.
        rng: secret; draws inputs and the order of visits.
        same: raises unless the first argument, the submission's answer, is as right as the second, the baseline's.
        settings: the grid, the device, the number of blocks.

    Raises:
        Refused: "restarted", "restless", or "too_little_energy": the submission's work cannot be told from null calls.
        ConfigurationError: the baseline's work cannot.
        InfrastructureError: the meter cannot be read.
        Exception: whatever `same` and the student's function raise.
    """
    inputs, order = rng.spawn(2)
    fresh = Fresh(draw, inputs)
    with closing(settings.meter or choose(settings)) as meter:
        account = Account(meter)
        half, pair = _trial(account, subject, baseline, fresh, same)
        if meter.whole_machine:
            account.idle_w = _power_at_rest(meter, subject)
        account.null_j = account.null_joules(baseline, pair)
        blocks = [
            _block(account, (subject, baseline), fresh.take(2 * half), same, subject_first=bool(order.integers(2)))
            for _ in range(settings.blocks)
        ]
        return _report(blocks, account, settings)


def _trial(
    account: Account, subject: Timed, baseline: Baseline, fresh: Fresh, same: Same
) -> tuple[int, tuple[Arguments, Any]]:
    """Warm both kernels up and check a few answers: the calls a visit that the meter needs, and an input's answer."""
    account.visit(subject, fresh.take(WARM_UP))
    inputs = fresh.take(WARM_UP)
    mine, theirs = account.visit(subject, inputs), account.visit(baseline, inputs)
    _check(mine, theirs, same)
    return account.enough(min(mine.wall_s, theirs.wall_s) / WARM_UP), (inputs[0], theirs.answers[0])


def _power_at_rest(meter: Meter, subject: Timed) -> float:
    """Watts that the device draws while nothing is asked of the kernels.

    Raises:
        Refused: the submission's kernel was not at rest ("restless"): it could raise what is taken off.
    """
    before = subject.reading()
    meter.begin()
    began = time.perf_counter()
    time.sleep(IDLE_S)
    wall_s = time.perf_counter() - began
    used = between(before, subject.reading())
    joules = meter.end(used.cpu_s)
    if used.cpu_s > BUSY_AT_REST * wall_s:
        raise Refused("restless", RESTLESS)
    return joules / wall_s


def _block(
    account: Account, kernels: tuple[Timed, Baseline], inputs: Sequence[Arguments], same: Same, *, subject_first: bool
) -> Block:
    """ABBA over `inputs`, one half in each direction."""
    subject, baseline = kernels
    half = len(inputs) // 2
    joules: dict[bool, float] = {True: 0.0, False: 0.0}  # is it the submission's -> joules
    for part, first in ((inputs[:half], subject_first), (inputs[half:], not subject_first)):
        charges = {mine: account.visit(subject if mine else baseline, part) for mine in (first, not first)}
        _check(charges[True], charges[False], same)
        joules = {mine: joules[mine] + charges[mine].joules for mine in joules}
    return Block(*(joules[mine] / len(inputs) - account.null_j for mine in (True, False)))


def _check(mine: Charge, theirs: Charge, same: Same) -> None:
    for pair in zip(mine.answers, theirs.answers, strict=True):
        same(*pair)


def _report(blocks: Sequence[Block], account: Account, settings: Settings) -> tuple[Measurement, ...]:
    mine, theirs = (np.array([getattr(block, name) for block in blocks]) for name in ("subject", "baseline"))
    if np.any(theirs <= 0):
        raise ConfigurationError(
            "energy: the baseline's work cannot be told from calls without work",
            remedy="Draw inputs that take more work, some 10 ms a call.",
        )
    if np.any(mine <= 0):
        raise Refused("too_little_energy", TOO_LITTLE)
    meter = account.meter
    rest = (Fact(Text("puissance au repos, soustraite", "power at rest, subtracted"), account.idle_w, "W"),)
    null = Fact(Text("appel à vide, soustrait", "null call, subtracted"), account.null_j, meter.unit)
    facts = (*meter.facts, *(rest if meter.whole_machine else ()), null, *settings.facts)
    joules, held = float(np.median(mine)), _interval(mine)
    ratios = mine / theirs
    spread = _interval(ratios)
    baseline = float(np.median(theirs))
    return (
        Measurement(
            "energy",
            meter.title,
            joules,
            meter.unit,
            held.low,
            held.high,
            Better.LOWER,
            baseline,
            None,
            facts,
            timed=True,
        ),
        Measurement(
            "energy_ratio",
            _labelled(meter, Text("Énergie, rapportée à celle de la solution", "Energy over the solution's")),
            float(np.exp(np.median(np.log(ratios)))),
            "",
            spread.low,
            spread.high,
            Better.LOWER,
            1.0,
            None,
            meter.facts,
            timed=True,
        ),
        _carbon(meter, settings, joules, held, baseline),
    )


def _interval(values: "np.ndarray[Any, np.dtype[np.float64]]") -> Interval:
    """Of the median of values above 0: from their logarithms, so that no end is below 0."""
    found = median_interval(np.log(values))
    return Interval(math.exp(found.low), math.exp(found.high), found.level)


def _carbon(meter: Meter, settings: Settings, joules: float, held: Interval, baseline: float) -> Measurement:
    grams = [MILLION * settings.grid.grams(each) for each in (joules, held.low, held.high, baseline)]
    title = Text("Équivalent CO2 d'un million d'appels", "CO2 equivalent of a million calls")
    return Measurement(
        "carbon",
        _labelled(meter, title),
        grams[0],
        meter.unit.replace("J", "gCO2e"),
        grams[1],
        grams[2],
        Better.LOWER,
        grams[3],
        None,
        (settings.grid.fact(), *meter.facts),
        timed=True,
    )


def _labelled(meter: Meter, title: Text) -> Text:
    """`title`, which says so when it stands on an estimate."""
    return Text(f"{title.fr} (estimation)", f"{title.en} (estimate)") if meter.estimated else title
