"""What all figures here share: one finite value a unit goes in, an interval comes out.

A unit is what is drawn independently of the others: a query, a document, a block of timed calls, a game.
Not covered: any method; each has a file of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.intp]]

LEVEL = 0.95
N_RESAMPLES = 10_000  # the ends of a 95 % interval then move by less than a fiftieth of its width from seed to seed
SHORTFALL = 0.013  # the most that the whole range may miss the level by: five units, whose range covers 93.75 %
AT_ONCE = 2_000_000  # indices drawn together: 16 MB, whatever the number of units


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, which holds the true value in a share `level` of repetitions.

    Raises:
        ValueError: `low` is above `high`, or one of them is no number.
    """

    low: float
    high: float
    level: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"interval: expected low <= high, got {self.low} and {self.high}")


def hold_units(name: str, values: Any, *, least: int) -> Array:
    """`values` as float64, one a unit.

    Raises:
        ValueError: fewer than `least` units, more than one dimension, or a value that is not finite.
    """
    units = np.asarray(values, dtype=np.float64)
    if units.ndim != 1 or len(units) < least:
        raise ValueError(f"{name}: expected one value for each of {least} units or more, got shape {units.shape}")
    hold_finite(name, units)
    return units


def hold_finite(name: str, values: Array) -> None:
    """Refuse NaN and infinities.

    Raises:
        ValueError: a value is not finite.
    """
    finite = np.isfinite(values)
    if not finite.all():
        raise ValueError(f"{name}: expected finite values, got {values[~finite][0]}")


def hold_enough(name: str, n_units: int, level: float) -> None:
    """Refuse so few units that what lies between the smallest and the largest covers too little.

    The middle of a symmetric distribution is outside when all units are on one side of it: with probability 2^(1-n).

    Raises:
        ValueError: the range of `n_units` misses `level` by more than SHORTFALL: fewer than five for 95 %.
    """
    covered = 1 - 2.0 ** (1 - n_units)
    if level - covered > SHORTFALL:
        raise ValueError(
            f"{name}: expected more units, got {n_units}, whose range holds the middle with probability {covered}"
        )


def hold_level(level: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: expected a share between 0 and 1, got {level}")


def draws(n_units: int, n_resamples: int, rng: np.random.Generator, *, at_once: int = AT_ONCE) -> Iterator[Indices]:
    """Indices of resampled units (some resamples, n_units), in pieces of `at_once` that fit into memory."""
    most = max(1, at_once // n_units)
    for start in range(0, n_resamples, most):
        yield rng.integers(n_units, size=(min(most, n_resamples - start), n_units))
