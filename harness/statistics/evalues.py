"""E-values: whether draws follow a known distribution, with a false alarm bounded for every sample size.

For draws x and the right distribution p, E = q(x)/p(x) with q fixed beforehand has expectation 1 under p, so it reaches
1/alpha with probability at most alpha (Markov's inequality): exactly, for every sample size and however rare a symbol.
Here q is a mixture of Dirichlet-multinomials centred on p, from loose to tight, so that small departures show as well.
A unit is one draw. Not covered: whether draws are independent of each other, continuous distributions (bin them first),
and what a student reads about it (`checks.samplers`).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp

from harness.statistics.units import Array

ALPHA = 1e-7  # chance that one test rejects a right sampler; ten of them spend what an assignment may
TIGHTNESS = 4.0 ** np.arange(9)  # pseudo-counts per symbol, from 1 (any distribution) to 65536 (barely off p)
POWER = 0.99
TRIALS = 1000  # simulated samples: the estimated power is within 0.01 of the true one


def log_e_value(counts: Array, probabilities: Array) -> float:
    """The natural logarithm of E for `counts` of outcomes with positive `probabilities`.

    E = mean over tightness t of Γ(tK)/Γ(tK+n) ∏ᵢ Γ(tKpᵢ+nᵢ)/Γ(tKpᵢ) pᵢ^(−nᵢ), for K outcomes and n draws.

    Source: Vovk and Wang 2021, E-values: Calibration, Combination and Applications, The Annals of Statistics 49(3), for
    what an e-value promises; the mixture is ours.

    Args:
        counts: how often each of the K outcomes was drawn.
        probabilities: of the outcomes, each above 0, together 1.

    >>> [round(log_e_value(np.array(counts), np.array([0.5, 0.5])), 1) for counts in ([50.0, 50.0], [80.0, 20.0])]
    [-0.3, 15.3]
    """
    return float(_log_e_values(counts[None, :], probabilities)[0])


def detectable(
    probabilities: Sequence[float], n: int, *, alpha: float = ALPHA, power: float = POWER, seed: int = 0
) -> float:
    """The smallest departure, in total variation, that `n` draws reveal with probability `power`; 1 if there is none.

    The departure is the least visible one: half of the probability gains, the other half loses, in proportion. Found by
    bisection over simulated samples.

    Args:
        probabilities: of the outcomes of a right sampler; those of 0 are left out.
        n: draws that a check asks for.
        alpha: chance that the test rejects a right sampler.
        power: chance that it rejects the departure.
        seed: of the simulation; the same seed gives the same answer.
    """
    p = np.array([value for value in probabilities if value > 0])
    rng = np.random.default_rng(seed)
    low, high = 0.0, largest_shift(p)
    if high == 0 or _power(shifted(p, high), p, n, alpha, rng) < power:  # 0: there is but one outcome
        return 1.0
    for _ in range(12):  # to 1/4096 of the range
        middle = (low + high) / 2
        found = _power(shifted(p, middle), p, n, alpha, rng) >= power
        low, high = (low, middle) if found else (middle, high)
    return high


def shifted(p: Array, distance: float) -> Array:
    """`p` with `distance` of its mass (total variation) moved, in proportion, from one half of it to the other."""
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
