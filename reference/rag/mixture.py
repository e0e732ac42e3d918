"""A mixture of Gaussians with diagonal covariances, by expectation–maximisation.

Covers starting values, fitting, responsibilities and the Bayesian information criterion. Not covered: full covariances.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.values import above_zero, at_least, finite

FLOOR = 1e-6  # added to every variance unless told otherwise: a cluster of equal points keeps a density


@dataclass(frozen=True, eq=False)
class Mixture:
    """K Gaussians: their weights, which sum to 1, their means, and their variances in each dimension.

    Source: Dempster, Laird and Rubin 1977, Journal of the Royal Statistical Society B 39(1), section 4.3.

    >>> Mixture(np.ones(1), np.zeros((1, 2)), np.ones((1, 2))).means.shape
    (1, 2)
    """

    weights: Float64[np.ndarray, " K"]
    means: Float64[np.ndarray, "K D"]
    variances: Float64[np.ndarray, "K D"]


@checked
def initial_mixture(points: Float64[np.ndarray, "N D"], n_clusters: int, *, rng: np.random.Generator) -> Mixture:
    """Start with equal weights, means at scattered points, and the variances of all points.

    The first mean is any point; each next one is a point drawn with probability proportional to its squared distance
    from the nearest mean so far (all 0: any point).

    Source: Arthur and Vassilvitskii 2007, SODA (k-means++), section 2.2.
    Departs from it: weights and variances, which k-means does without.

    Args:
        points: finite, at least one.
        n_clusters: K, from 1 to N.
        rng: one draw a mean.
    Raises:
        ValueError: a value is not finite, a squared distance or variance overflows, or `n_clusters` is out of range.

    Cost: O(K·N·D).

    >>> initial_mixture(np.array([[0.0], [8.0]]), 2, rng=np.random.default_rng(0)).means.tolist()
    [[8.0], [0.0]]
    """
    finite("points", points)
    if not 1 <= n_clusters <= len(points):
        raise ValueError(f"n_clusters: expected 1 to {len(points)}, the number of points, got {n_clusters}")
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        finite("squared distances of points", ((points.max(axis=0) - points.min(axis=0)) ** 2).sum() * len(points))
    chosen = [int(rng.integers(len(points)))]
    for _ in range(n_clusters - 1):
        offsets = points[:, None] - points[chosen]  # (N, chosen, D)
        nearest = (offsets**2).sum(axis=-1).min(axis=-1)  # (N,)
        probabilities = nearest / nearest.sum() if nearest.sum() > 0 else None
        chosen.append(int(rng.choice(len(points), p=probabilities)))
    variances = np.tile(points.var(axis=0) + FLOOR, (n_clusters, 1))
    return Mixture(np.full(n_clusters, 1 / n_clusters), points[chosen], variances)


@checked
def fit_mixture(
    points: Float64[np.ndarray, "N D"], start: Mixture, *, n_steps: int = 50, floor: float = FLOOR
) -> Mixture:
    """Improve a mixture by `n_steps` of expectation and maximisation.

    r = responsibilities(points); n_k = sum over i of r[i, k]; weight_k = n_k / N; mean_k = sum of r[i, k]·x_i / n_k;
    variance_k = sum of r[i, k]·(x_i - mean_k)² / n_k + floor, dimension by dimension. A Gaussian that no point belongs
    to keeps its place, with weight 0.

    Source: Dempster, Laird and Rubin 1977, section 4.3; Bishop 2006, Pattern Recognition and Machine Learning,
    equations 9.24 to 9.26.
    Departs from it: diagonal covariances; a number of steps, not a test of convergence; the floor of the variances.

    Args:
        points: finite, at least one.
        start: as `initial_mixture` gives it.
        n_steps: 0 or more.
        floor: what is added to every variance, above 0.
    Raises:
        ValueError: a value is not finite, there is no point, the mixture has another width, `n_steps` is negative, or
            `floor` is not above 0.

    Cost: O(n_steps·N·K·D).

    >>> points = np.array([[0.0], [2.0], [10.0], [12.0]])
    >>> start = Mixture(np.full(2, 0.5), points[[0, 3]], np.ones((2, 1)))
    >>> fit_mixture(points, start).means.round(6).tolist()
    [[1.0], [11.0]]
    """
    _require_mixture(points, start)
    at_least("number of points", len(points), 1)
    at_least("n_steps", n_steps, 0)
    above_zero("floor", floor)
    mixture = start
    for _ in range(n_steps):
        shares = _shares(points, mixture)  # (N, K)
        totals = shares.sum(axis=0)  # (K,)
        divisors = np.where(totals > 0, totals, 1.0)[:, None]
        means = np.where(totals[:, None] > 0, shares.T @ points / divisors, mixture.means)
        squares = np.stack([share @ (points - mean) ** 2 for share, mean in zip(shares.T, means, strict=True)])
        mixture = Mixture(totals / len(points), means, squares / divisors + floor)
    return mixture


@checked
def responsibilities(points: Float64[np.ndarray, "N D"], mixture: Mixture) -> Float64[np.ndarray, "N K"]:
    """Say how likely each point is to come from each Gaussian.

    r[i, k] = weight_k·N(x_i; mean_k, variance_k) / (sum over j of weight_j·N(x_i; mean_j, variance_j)), in logarithms.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, equation 9.23.

    Args:
        points: finite.
        mixture: K Gaussians of the points' width.
    Returns:
        Rows that sum to 1.
    Raises:
        ValueError: a value is not finite, the mixture has another width, or a point is so far from every Gaussian that
            its squared distances overflow.

    Cost: O(N·K·D).

    >>> mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [4.0]]), np.ones((2, 1)))
    >>> responsibilities(np.array([[2.0], [9.0]]), mixture).round(6).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    _require_mixture(points, mixture)
    return _shares(points, mixture)


@checked
def bayesian_information(points: Float64[np.ndarray, "N D"], mixture: Mixture) -> float:
    """Weigh how well a mixture fits against how many numbers it needs; the lower, the better.

    BIC = p·ln N - 2·(sum over i of ln p(x_i)), p = 2·K·D + K - 1.

    Source: Schwarz 1978, The Annals of Statistics 6(2).

    Args:
        points: finite, at least one.
        mixture: K Gaussians of the points' width.
    Raises:
        ValueError: a value is not finite, there is no point, or the mixture has another width.

    Cost: O(N·K·D).

    >>> mixture = Mixture(np.ones(1), np.zeros((1, 1)), np.full((1, 1), 1 / (2 * np.pi)))     # ln p(0) = 0
    >>> round(bayesian_information(np.zeros((8, 1)), mixture) - 2 * math.log(8), 12)
    0.0
    """
    _require_mixture(points, mixture)
    at_least("number of points", len(points), 1)
    n_clusters, width = mixture.means.shape
    n_parameters = 2 * n_clusters * width + n_clusters - 1
    log_likelihood = np.logaddexp.reduce(_log_joint(points, mixture), axis=-1).sum()
    return float(n_parameters * math.log(len(points)) - 2 * log_likelihood)


def _require_mixture(points: Float64[np.ndarray, "N D"], mixture: Mixture) -> None:
    finite("points", points)
    for name, values in (("weights", mixture.weights), ("means", mixture.means), ("variances", mixture.variances)):
        finite(name, values)
    expected = (len(mixture.weights), points.shape[1])
    if not mixture.means.shape == mixture.variances.shape == expected:
        shapes = f"{mixture.means.shape} and {mixture.variances.shape}"
        raise ValueError(f"mixture: expected means and variances of shape {expected}, got {shapes}")


def _shares(points: Float64[np.ndarray, "N D"], mixture: Mixture) -> Float64[np.ndarray, "N K"]:
    joint = _log_joint(points, mixture)
    finite("log-likelihoods of points", joint.max(axis=-1))
    return np.asarray(np.exp(joint - np.logaddexp.reduce(joint, axis=-1, keepdims=True)))


def _log_joint(points: Float64[np.ndarray, "N D"], mixture: Mixture) -> Float64[np.ndarray, "N K"]:
    """ln (weight_k · N(x_i; mean_k, variance_k))."""
    with np.errstate(divide="ignore"):  # a weight of 0: never
        log_weights = np.log(mixture.weights)
    with np.errstate(over="ignore"):  # too far to be likely
        offsets = (points[:, None] - mixture.means) ** 2 / mixture.variances  # (N, K, D)
    normalisers = np.log(2 * np.pi * mixture.variances).sum(axis=-1)  # (K,)
    return np.asarray(log_weights - 0.5 * (offsets.sum(axis=-1) + normalisers))
