"""The Ladder: what a public board tells of an author moves by a step, or not at all.

Whoever hands in again and again then learns of the measured data only what is worth a step, in one figure or in two.
Source: Blum and Hardt 2015, The Ladder: A Reliable Leaderboard for Machine Learning Competitions (arXiv:1502.04585),
section 3, algorithm 1; two figures at once are our own addition.
Not covered: which submissions count, and in which order (`standing`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.records import Better


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval, which holds it; all of them finite."""

    value: float
    low: float
    high: float


def ladder(history: Iterable[Estimate], *, step: float, better: Better) -> Estimate | None:
    """What the board tells after `history`, oldest first: None before the first estimate.

    An estimate counts when it is better than what is told by more than `step`. It is then told as a multiple of
    `step`: the value the nearest one (of two as near, the even one), the interval widened to the next ones.

    >>> tries = [Estimate(v, v - 0.1, v + 0.1) for v in (2.347, 2.343, 2.333, 2.36)]
    >>> [ladder(tries[: n + 1], step=0.01, better=Better.LOWER).value for n in range(4)]
    [2.35, 2.35, 2.33, 2.33]
    """
    told: Estimate | None = None
    for estimate in history:
        if told is None or beats(estimate.value, told.value, step=step, better=better):
            told = rounded(estimate, step)
    return told


def ladder_of_pairs(
    history: Iterable[tuple[Estimate, Estimate]], *, steps: tuple[float, float], betters: tuple[Better, Better]
) -> tuple[int, ...]:
    """Which pairs of `history` (their places, oldest first) a board of two figures tells.

    A pair counts when, against each one told so far, it is better by more than a step in one of both figures; those
    that it then equals or beats in both are told no longer. With one figure this is the Ladder. Steps may be 0.
    """
    told: dict[int, tuple[float, ...]] = {}
    for place, pair in enumerate(history):
        values = tuple(rounded(estimate, step).value for estimate, step in zip(pair, steps, strict=True))
        exact = tuple(estimate.value for estimate in pair)
        if all(_beats_one(exact, old, steps, betters) for old in told.values()):
            told = {at: old for at, old in told.items() if _beats_one(old, values, (0.0, 0.0), betters)}
            told[place] = values
    return tuple(told)


def beats(new: float, old: float, *, step: float, better: Better) -> bool:
    """Whether `new` is better than `old` by more than `step`, as the decimal numbers that people read."""
    gain = _exact(old) - _exact(new) if better is Better.LOWER else _exact(new) - _exact(old)
    return gain > _exact(step)


def rounded(estimate: Estimate, step: float) -> Estimate:
    """`estimate` in multiples of `step`; as it is where `step` is 0."""
    if step == 0:
        return estimate
    unit = _exact(step)
    return Estimate(
        value=float(round(_exact(estimate.value) / unit) * unit),
        low=float(math.floor(_exact(estimate.low) / unit) * unit),
        high=float(math.ceil(_exact(estimate.high) / unit) * unit),
    )


def _beats_one(
    new: Sequence[float], old: Sequence[float], steps: tuple[float, float], betters: tuple[Better, Better]
) -> bool:
    return any(beats(n, o, step=s, better=b) for n, o, s, b in zip(new, old, steps, betters, strict=True))


def _exact(number: float) -> Fraction:
    """The decimal number that is written for `number`: 0.1 is a tenth, so that ten steps of it are one."""
    return Fraction(repr(float(number)))
