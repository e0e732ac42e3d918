"""How the loss of a model falls with its parameters and its tokens: the law of Hoffmann et al., fitted and used.

Not covered: intervals of the fitted constants, laws for repeated data or for inference.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import least_squares, nnls

from reference.checked import checked
from reference.values import above_zero

HUBER = 1e-3  # of the log-loss: beyond it a residual counts linearly (Hoffmann et al., section 3.3)
FLOPS_PER_PARAMETER_AND_TOKEN = 6  # forward 2, backward 4 (Kaplan et al. 2020, arXiv:2001.08361, section 2.1)
EXPONENTS = np.arange(0.05, 1.55, 0.05)  # tried for alpha and beta; published ones lie between 0.05 and 1
TINY = 1e-6  # stands for a constant that the start puts at 0: its logarithm must exist
EXACT = 1e-15  # tolerance at which the search stops: what float64 gives


@dataclass(frozen=True)
class ScalingLaw:
    """loss(N, D) = E + A / N^alpha + B / D^beta, for N parameters and D tokens.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), equation 2.

    >>> law = ScalingLaw(entropy=1.69, a=406.4, alpha=0.34, b=410.7, beta=0.28)
    >>> round(law.loss(70e9, 1.4e12), 2)
    1.94
    """

    entropy: float  # E, nats a token: what no model can learn
    a: float
    alpha: float
    b: float
    beta: float

    def __post_init__(self) -> None:
        """Hold the constants to a law that falls: E of 0 or more, the others above 0."""
        for name in ("a", "alpha", "b", "beta") if self.entropy == 0 else ("entropy", "a", "alpha", "b", "beta"):
            above_zero(name, getattr(self, name))

    @checked
    def loss(self, parameters: float, tokens: float) -> float:
        """Predict the loss in nats a token. A power outside float64 is no error: its term tends to 0 or infinity.

        Args:
            parameters: N, above 0.
            tokens: D, above 0.
        Raises:
            ValueError: N or D is not above 0.

        Cost: O(1).

        >>> ScalingLaw(entropy=1.0, a=2.0, alpha=0.5, b=3.0, beta=1.0).loss(4.0, 3.0)
        3.0
        """
        above_zero("parameters", parameters)
        above_zero("tokens", tokens)
        return self.entropy + (_term(self.a, parameters, self.alpha) + _term(self.b, tokens, self.beta))

    @checked
    def compute_optimal(self, flops: float) -> tuple[float, float]:
        """Find the parameters and tokens with the least loss that 6·N·D = `flops` can train.

        N = G · (C/6)^(beta/(alpha + beta)), D = (C/6) / N, G = (alpha·A / (beta·B))^(1/(alpha + beta)).

        Source: Hoffmann et al. 2022 (arXiv:2203.15556), equation 4.

        Args:
            flops: C, of the training, above 0.
        Returns:
            N and D, not rounded.
        Raises:
            ValueError: C is not above 0.

        Cost: O(1).

        >>> ScalingLaw(entropy=1.0, a=1.0, alpha=0.5, b=1.0, beta=0.5).compute_optimal(600.0)
        (10.0, 10.0)
        """
        above_zero("flops", flops)
        product = flops / FLOPS_PER_PARAMETER_AND_TOKEN
        balance = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        parameters = balance * product ** (self.beta / (self.alpha + self.beta))
        return parameters, product / parameters


def _term(constant: float, amount: float, exponent: float) -> float:
    """constant / amount^exponent, in logarithms where the power leaves float64; infinite where the quotient does."""
    with np.errstate(over="ignore", under="ignore"):
        power = np.float64(amount) ** exponent
        if np.finfo(np.float64).tiny <= power < np.inf:
            return float(constant / power)
        return float(np.exp(np.log(constant) - exponent * np.log(amount)))


@checked
def fit_scaling_law(
    parameters: Float64[np.ndarray, " R"], tokens: Float64[np.ndarray, " R"], losses: Float64[np.ndarray, " R"]
) -> ScalingLaw:
    """Fit the law to runs of a scaling study.

    Minimises the sum over runs of Huber(log(predicted loss) - log(loss)), with threshold 1e-3, over log A, log B,
    log E, alpha and beta. Where alpha and beta are given, the law is linear in E, A and B: the search starts at the
    pair of a grid whose non-negative least squares fit best, the first of equal ones. E is above 0.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), section 3.3.
    Departs from it: where the search starts; trust-region least squares instead of L-BFGS.

    Args:
        parameters: N of each run.
        tokens: D of each run.
        losses: final loss of each run, nats a token.
    Raises:
        ValueError: fewer than 5 runs, fewer than 3 values of N or of D, a value that is not a finite number above 0,
            or losses that do not fall with N and D, so that no law fits.

    Cost: O((900 + steps) · R).

    >>> truth = ScalingLaw(entropy=1.7, a=400.0, alpha=0.34, b=410.0, beta=0.28)
    >>> n, d = (grid.ravel() for grid in np.meshgrid(np.logspace(7, 10, 4), np.logspace(9, 11, 4)))
    >>> fitted = fit_scaling_law(n, d, np.array([truth.loss(*run) for run in zip(n.tolist(), d.tolist(), strict=True)]))
    >>> round(fitted.alpha, 6), round(fitted.beta, 6), round(fitted.entropy, 6)
    (0.34, 0.28, 1.7)
    """
    _hold_runs(parameters, tokens, losses)
    logs = np.log(parameters), np.log(tokens), np.log(losses)
    start = _start(parameters, tokens, losses)
    found = least_squares(_residuals, start, loss="huber", f_scale=HUBER, args=logs, xtol=EXACT, ftol=EXACT, gtol=EXACT)
    log_a, alpha, log_b, beta, log_e = found.x.tolist()
    if alpha <= 0 or beta <= 0:
        raise ValueError(f"losses: expected to fall with N and D, got exponents {alpha:.3g} and {beta:.3g}")
    return ScalingLaw(entropy=math.exp(log_e), a=math.exp(log_a), alpha=alpha, b=math.exp(log_b), beta=beta)


def _start(
    parameters: Float64[np.ndarray, " R"], tokens: Float64[np.ndarray, " R"], losses: Float64[np.ndarray, " R"]
) -> tuple[float, ...]:
    """Log A, alpha, log B, beta, log E of the best pair of exponents on the grid."""
    best: tuple[float, tuple[float, ...]] = (math.inf, ())
    for alpha, beta in itertools.product(EXPONENTS.tolist(), repeat=2):
        terms = np.stack([parameters**-alpha, tokens**-beta, np.ones_like(losses)], axis=1)  # (R, 3)
        scale = terms.max(axis=0)  # columns of one magnitude
        constants, distance = nnls(terms / scale, losses)
        if distance < best[0]:
            log_a, log_b, log_e = np.log(np.maximum(constants, TINY) / scale).tolist()
            best = distance, (log_a, alpha, log_b, beta, log_e)
    return best[1]


def _residuals(
    constants: Float64[np.ndarray, " 5"],
    log_n: Float64[np.ndarray, " R"],
    log_d: Float64[np.ndarray, " R"],
    log_loss: Float64[np.ndarray, " R"],
) -> Float64[np.ndarray, " R"]:
    """Difference of log-losses, summing the three terms in logarithms so that no power overflows."""
    log_a, alpha, log_b, beta, log_e = constants
    terms = np.stack([log_a - alpha * log_n, log_b - beta * log_d, np.full_like(log_n, log_e)])  # (3, R)
    residuals: Float64[np.ndarray, " R"] = np.logaddexp.reduce(terms, axis=0) - log_loss
    return residuals


def _hold_runs(*runs: Float64[np.ndarray, " R"]) -> None:
    for name, values in zip(("parameters", "tokens", "losses"), runs, strict=True):
        wrong = values[~((values > 0) & np.isfinite(values))]
        if len(wrong):
            raise ValueError(f"{name}: expected finite numbers above 0, got {wrong[0]}")
    if len(runs[0]) < 5:
        raise ValueError(f"R: expected 5 runs or more for 5 constants, got {len(runs[0])}")
    for name, values in zip(("parameters", "tokens"), runs[:2], strict=True):
        if len(set(values.tolist())) < 3:
            raise ValueError(f"{name}: expected 3 values or more, got {len(set(values.tolist()))}")
