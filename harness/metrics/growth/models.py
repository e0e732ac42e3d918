"""Which law a cost follows as its input grows: the class that explains it best, and the slope of the log-log fit.

Covers the mathematics, for any cost. Not covered: measuring costs (`costs`), what a student is told (`measure`).

K sizes, R rounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import optimize, stats

Array = np.ndarray[Any, np.dtype[np.float64]]

LEVEL = 0.95  # of the interval of the slope
MEDIAN_SPREAD = 1.2533  # √(π/2): standard error of a median over that of a mean, for normal values
NORMAL_MAD = 1.4826  # standard deviation of normal values over their median absolute deviation
CLASSES: Final[Mapping[str, Callable[[Array], Array]]] = {  # slowest growth first
    "1": np.ones_like,
    "log n": np.log,
    "n": lambda n: n,
    "n log n": lambda n: n * np.log(n),
    "n^2": lambda n: n**2,
    "n^3": lambda n: n**3,
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What calls of several sizes have cost, overhead taken off."""

    sizes: Array  # (K,), rising
    figures: Array  # (R, K), in seconds or bytes
    doubt: Array  # (K,), in the same unit: how far they may leave their law without that meaning anything

    @property
    def typical(self) -> Array:
        """(K,): medians over the rounds; a neighbour that disturbs fewer than half of them does not move it."""
        return np.asarray(np.median(self.figures, axis=0))

    @property
    def spread(self) -> Array:
        """(K,): standard deviation of `typical`: what rounds differ by, and what is in doubt whatever the rounds."""
        deviations = np.median(np.abs(self.figures - self.typical), axis=0)
        error = NORMAL_MAD * MEDIAN_SPREAD * deviations / np.sqrt(len(self.figures))
        return np.asarray(np.hypot(error, self.doubt))


@dataclass(frozen=True, slots=True)
class Law:
    """The class that explains costs best, and how much worse the others do."""

    name: str  # of `CLASSES`
    constant: float  # a of a + b·f(n), in the unit of the costs
    likelihoods: Mapping[str, float]  # of each class over that of the best: 1 for the best

    @property
    def runner_up(self) -> str:
        """The class that explains them second best."""
        return max((name for name in self.likelihoods if name != self.name), key=self.likelihoods.__getitem__)

    def within(self, promised: str) -> float:
        """Likelihood, relative to the best class, of the likeliest one that grows no faster than `promised`."""
        names = list(CLASSES)
        return max(self.likelihoods[name] for name in names[: names.index(promised) + 1])


@dataclass(frozen=True, slots=True)
class Slope:
    """The exponent k of n^k, with its interval."""

    value: float
    low: float
    high: float


def fit(costs: Costs) -> Law:
    """Choose among a + b·f(n), f each of `CLASSES`, a and b not negative, by weighted least squares.

    A plain slope cannot tell n log n from n: over a span of 100 sizes they differ by a tenth. Residuals are divided by
    `Costs.spread`; classes are compared by their Gaussian likelihood with Schwarz's penalty for the number of
    coefficients. Where even the best leaves more than the spread explains, the spread is taken to be that much wider,
    so that no class is called certain for being the least wrong.

    Source: Schwarz 1978, Estimating the Dimension of a Model, The Annals of Statistics 6(2).
    """
    weights = 1 / costs.spread
    fits = {name: _least_squares(costs, law(costs.sizes), weights) for name, law in CLASSES.items()}
    parameters = {name: 1 if name == "1" else 2 for name in CLASSES}
    k = len(costs.sizes)
    best_misfit = min(misfit / (k - parameters[name]) for name, (misfit, _) in fits.items())
    scale = max(1.0, best_misfit)
    scores = {name: -misfit / (2 * scale) - parameters[name] * np.log(k) / 2 for name, (misfit, _) in fits.items()}
    best = max(scores, key=scores.__getitem__)
    likelihoods = {name: float(np.exp(score - scores[best])) for name, score in scores.items()}
    return Law(best, fits[best][1], likelihoods)


def _least_squares(costs: Costs, shape: Array, weights: Array) -> tuple[float, float]:
    """(weighted sum of squares that is left, a) of a + b·shape; scaled so that both columns are of size 1."""
    columns = np.stack([np.ones_like(shape), shape / shape.max()], axis=1)  # (K, 2)
    found, norm = optimize.nnls(columns * weights[:, None], costs.typical * weights)
    return float(norm**2), float(found[0])


def slope(costs: Costs, law: Law) -> Slope:
    """The slope of log cost against log n, the constant of `law` taken off, with its 95 % interval.

    Weighted least squares with weights from `Costs.spread`, widened where points leave the line by more than that.
    A cost below its own spread counts as that spread, with the little weight it deserves: what is too small to be
    seen at any size has slope 0 and a wide interval.
    """
    constant = 0.0 if law.name == "1" else law.constant
    seen = np.maximum(costs.typical - constant, costs.spread)
    weights = (seen / costs.spread) ** 2
    x, y = np.log(costs.sizes), np.log(seen)
    x = x - np.average(x, weights=weights)
    information = float(np.sum(weights * x**2))
    value = float(np.sum(weights * x * y)) / information
    residuals = y - np.average(y, weights=weights) - value * x
    freedom = len(x) - 2
    misfit = max(1.0, float(np.sum(weights * residuals**2)) / freedom)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(misfit / information))
    return Slope(value, value - half, value + half)
