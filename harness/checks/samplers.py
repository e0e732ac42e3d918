"""Whether draws follow a known distribution: an e-value that a right sampler almost never makes large.

Covers the fixture and its words; the mathematics is `statistics.evalues`.
Not covered: whether draws are independent of each other, and continuous distributions (bin them first).
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.checks.compare import about
from harness.checks.failures import Mismatch
from harness.checks.show import array_of, brief, is_tensor
from harness.records import Text

ASSIGNMENT_ALPHA = 1e-6  # the most that all tests of one assignment may spend together
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class AlphaBudget:
    """The fixture `same_distribution`: refuses more tests than one assignment can bear."""

    spent: float = 0.0

    def __call__(
        self,
        samples: Sequence[Any],
        probabilities: Mapping[Any, float] | Sequence[float],
        *,
        alpha: float | None = None,
        what: str | None = None,
    ) -> None:
        """Raise Mismatch when `samples` do not come from `probabilities`.

        Args:
            samples: independent draws: a list, or an array with one dimension.
            probabilities: outcome -> probability, or a vector where the outcomes are 0, 1, 2, ...
            alpha: probability of rejecting a right sampler, `statistics.evalues.ALPHA` if left out.
            what: what was drawn, for the message: "first letters of `sample_names`".

        Raises:
            ValueError: `probabilities` are none, or all tests together would exceed ASSIGNMENT_ALPHA.
        """
        from harness.statistics.evalues import ALPHA  # here: SciPy takes half a second, and most checks draw nothing

        alpha = ALPHA if alpha is None else alpha
        self.spent += alpha
        if self.spent > ASSIGNMENT_ALPHA * (1 + 1e-9):
            raise ValueError(f"tests of random output spend alpha={self.spent:g}, more than {ASSIGNMENT_ALPHA:g}")
        found = departure(samples, probabilities, alpha=alpha)
        if found is not None:
            raise Mismatch(about(what, found))


def departure(
    samples: Sequence[Any], probabilities: Mapping[Any, float] | Sequence[float], *, alpha: float | None = None
) -> Text | None:
    """What is wrong with `samples`, as the second half of a sentence, or None when they may come from `probabilities`.

    Raises:
        ValueError: `probabilities` are negative or do not add up to 1.
    """
    from harness.statistics.evalues import ALPHA, log_e_value  # here: see AlphaBudget

    alpha = ALPHA if alpha is None else alpha
    table = _table(probabilities)
    drawn = _outcomes(samples)
    if drawn is None:
        return Text(
            "attendu une liste de tirages, obtenu autre chose.", "expected a list of draws, got something else."
        )
    stray = next((outcome for outcome in drawn if not table.get(outcome, 0.0) > 0), None)
    if stray is not None:
        shown = brief(stray)
        return Text(
            f"{shown} est tiré alors que sa probabilité est nulle.", f"{shown} was drawn; its probability is 0."
        )
    tally = Counter(drawn)
    outcomes = [outcome for outcome, p in table.items() if p > 0]
    counts = np.array([tally[outcome] for outcome in outcomes], dtype=float)
    p = np.array([table[outcome] for outcome in outcomes])
    if log_e_value(counts, p) < -math.log(alpha):
        return None
    return _worst(outcomes, counts, p, alpha)


def _table(probabilities: Mapping[Any, float] | Sequence[float]) -> dict[Any, float]:
    if is_tensor(probabilities):
        probabilities = array_of(probabilities).tolist()
    pairs = probabilities.items() if isinstance(probabilities, Mapping) else enumerate(probabilities)
    table = {outcome: float(p) for outcome, p in pairs}
    if not all(p >= 0 for p in table.values()) or not math.isclose(math.fsum(table.values()), 1.0, rel_tol=1e-9):
        raise ValueError("probabilities must be >= 0 and add up to 1")
    return table


def _outcomes(samples: Any) -> list[Any] | None:
    if is_tensor(samples):
        samples = array_of(samples)
    if isinstance(samples, np.ndarray):
        samples = samples.tolist()
    if not isinstance(samples, list | tuple | str) or not all(isinstance(each, Hashable) for each in samples):
        return None
    return list(samples)


def _worst(outcomes: list[Any], counts: Array, p: Array, alpha: float) -> Text:
    """The outcome that is furthest off, in standard deviations."""
    n = counts.sum()
    worst = int(np.argmax(np.abs(counts - n * p) / np.sqrt(n * p * (1 - p) + 1e-300)))
    shown, got, want = brief(outcomes[worst]), int(counts[worst]), n * p[worst]
    return Text(
        f"{shown} est tiré {got} fois sur {int(n)} ; on en attend environ {want:.4g}. "
        f"Un tirage juste s'écarte autant moins d'une fois sur {1 / alpha:.0f}.",
        f"{shown} was drawn {got} times out of {int(n)}; about {want:.4g} were expected. "
        f"A right sampler is this far off less than once in {1 / alpha:.0f}.",
    )
