"""Whether draws follow a known distribution: an e-value that a right sampler almost never makes large.

For draws x and the right distribution p, E = q(x)/p(x) with q fixed beforehand has expectation 1 under p, so it reaches
1/alpha with probability at most alpha (Markov's inequality): exactly, for every sample size and however rare a symbol.
Here q is a mixture of Dirichlet-multinomials centred on p, from loose to tight, so that small departures show as well.
Not covered: whether draws are independent of each other, and continuous distributions (bin them first).
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp

from harness.checks.compare import about
from harness.checks.failures import Mismatch
from harness.checks.show import array_of, brief, is_tensor
from harness.records import Text

ALPHA = 1e-7  # chance that one test rejects a right sampler: ten tests of an assignment stay below ASSIGNMENT_ALPHA
ASSIGNMENT_ALPHA = 1e-6  # the most that all tests of one assignment may spend together
TIGHTNESS = 4.0 ** np.arange(9)  # pseudo-counts per symbol, from 1 (any distribution) to 65536 (barely off p)
POWER = 0.99
TRIALS = 1000  # simulated samples: the estimated power is within 0.01 of the true one
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
        alpha: float = ALPHA,
        what: str | None = None,
    ) -> None:
        """Raise Mismatch when `samples` do not come from `probabilities`.

        Args:
            samples: independent draws: a list, or an array with one dimension.
            probabilities: outcome -> probability, or a vector where the outcomes are 0, 1, 2, ...
            alpha: probability of rejecting a right sampler.
            what: what was drawn, for the message: "first letters of `sample_names`".

        Raises:
            ValueError: `probabilities` are none, or all tests together would exceed ASSIGNMENT_ALPHA.
        """
        self.spent += alpha
        if self.spent > ASSIGNMENT_ALPHA * (1 + 1e-9):
            raise ValueError(f"tests of random output spend alpha={self.spent:g}, more than {ASSIGNMENT_ALPHA:g}")
        found = departure(samples, probabilities, alpha=alpha)
        if found is not None:
            raise Mismatch(about(what, found))


def departure(
    samples: Sequence[Any], probabilities: Mapping[Any, float] | Sequence[float], *, alpha: float = ALPHA
) -> Text | None:
    """What is wrong with `samples`, as the second half of a sentence, or None when they may come from `probabilities`.

    Raises:
        ValueError: `probabilities` are negative or do not add up to 1.
    """
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


def log_e_value(counts: Array, probabilities: Array) -> float:
    """The natural logarithm of E for `counts` of outcomes with positive `probabilities`.

    E = mean over tightness t of Γ(tK)/Γ(tK+n) ∏ᵢ Γ(tKpᵢ+nᵢ)/Γ(tKpᵢ) pᵢ^(−nᵢ), for K outcomes and n draws.
    """
    return float(_log_e_values(counts[None, :], probabilities)[0])


def detectable(
    probabilities: Sequence[float], n: int, *, alpha: float = ALPHA, power: float = POWER, seed: int = 0
) -> float:
    """The smallest departure, in total variation, that `n` draws reveal with probability `power`; 1 if there is none.

    The departure is the least visible one: half of the probability gains, the other half loses, in proportion. Found by
    bisection over simulated samples.
    """
    p = np.array([value for value in probabilities if value > 0])
    rng = np.random.default_rng(seed)
    low, high = 0.0, largest_shift(p)
    if _power(shifted(p, high), p, n, alpha, rng) < power:
        return 1.0
    for _ in range(12):  # to 1/4096 of the range
        middle = (low + high) / 2
        found = _power(shifted(p, middle), p, n, alpha, rng) >= power
        low, high = (low, middle) if found else (middle, high)
    return high


def shifted(p: Array, distance: float) -> Array:
    """`p` with `distance` of its mass moved, in proportion, from one half of it to the other."""
    half = _half(p)
    mass = p[half].sum()
    return np.asarray(np.where(half, p * (1 + distance / mass), p * (1 - distance / (1 - mass))))


def largest_shift(p: Array) -> float:
    """The largest distance that `shifted` can move."""
    return float(1 - p[_half(p)].sum())


def _half(p: Array) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Outcomes with about half of the probability, taken from the likeliest down."""
    chosen = np.zeros(len(p), dtype=bool)
    for index in np.argsort(-p, kind="stable"):
        if p[chosen].sum() + p[index] <= 0.5 + 1e-12:
            chosen[index] = True
    if not chosen.any():
        chosen[np.argmin(p)] = True  # one outcome has more than half: the rest is the other side
    return chosen


def _power(q: Array, p: Array, n: int, alpha: float, rng: np.random.Generator) -> float:
    counts = rng.multinomial(n, np.clip(q, 0, None) / q.sum(), size=TRIALS).astype(float)
    return float(np.mean(_log_e_values(counts, p) >= -math.log(alpha)))


def _log_e_values(counts: Array, p: Array) -> Array:
    """One value for each row of `counts` (trials, K)."""
    n = counts.sum(axis=1)
    logs = []
    for tightness in TIGHTNESS:
        prior = tightness * len(p) * p
        total = prior.sum()
        inside = (gammaln(prior + counts) - gammaln(prior) - counts * np.log(p)).sum(axis=1)
        logs.append(gammaln(total) - gammaln(total + n) + inside)
    return np.asarray(logsumexp(np.stack(logs), axis=0) - math.log(len(TIGHTNESS)))


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
