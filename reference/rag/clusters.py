"""Soft clusters of embeddings: reduced to a few dimensions, then a mixture of as many Gaussians as pay off.

Not covered: UMAP, a second round of clusters within clusters.
"""

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.rag.mixture import FLOOR, bayesian_information, fit_mixture, initial_mixture, responsibilities
from reference.values import at_least, finite


@checked
def principal_components(points: Float64[np.ndarray, "N D"], n_dimensions: int) -> Float64[np.ndarray, "N d"]:
    """Project points on the directions in which they vary most.

    With the singular value decomposition U S Vᵀ of the points minus their mean: the first d columns of U S,
    d = min(n_dimensions, N, D). Signs of columns are arbitrary.

    Source: Pearson 1901, Philosophical Magazine 2(11).

    Args:
        points: finite, at least one.
        n_dimensions: 1 or more.
    Raises:
        ValueError: a value, or a sum of them, is not finite, there is no point, or `n_dimensions` is below 1.

    Cost: O(N·D·min(N, D)).

    >>> abs(principal_components(np.array([[0.0, 1.0], [2.0, 1.0]]), 1)).round(12).tolist()
    [[1.0], [1.0]]
    """
    finite("points", points)
    at_least("number of points", len(points), 1)
    at_least("n_dimensions", n_dimensions, 1)
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        centred = points - points.mean(axis=0)
    finite("points less their mean", centred)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return np.asarray((u * s)[:, :n_dimensions])


@checked
def soft_clusters(
    embeddings: Float64[np.ndarray, "N D"],
    *,
    rng: np.random.Generator,
    max_clusters: int = 50,
    n_dimensions: int = 10,
    threshold: float | int = 0.1,
) -> list[tuple[int, ...]]:
    """Group rows that belong together; a row may belong to several groups.

    The rows' principal components are fitted by a mixture of K Gaussians for every K from 1 to
    min(max_clusters, N - 1); the K of lowest Bayesian information criterion is taken (ties: the smallest). 1/N of the
    mean variance, but at least 1e-6, is added to every variance: else a cluster of one row would have a density without
    bounds, and always pay off. A row is in every cluster that is responsible for it by more than `threshold`, and at
    least in the one most responsible (ties: the first). Empty clusters are dropped, equal ones merged; clusters stand
    in order of their members. So from two rows on there are fewer clusters than rows, and every row is in one. N = 1:
    one cluster; N = 0: none.

    Source: Sarthi et al. 2024 (arXiv:2401.18059), section 3.
    Departs from it: principal components instead of UMAP, one round instead of global and then local clusters, diagonal
    covariances with that floor, a fixed number of steps.

    Args:
        embeddings: finite.
        rng: draws the starting means.
        max_clusters: largest K, 1 or more.
        n_dimensions: of the reduced embeddings, 1 or more.
        threshold: from 0 to 1.
    Returns:
        The clusters, each the rows in ascending order.
    Raises:
        ValueError: a value or the variance is not finite, or an argument is out of range.

    Cost: O(K²·N·d) for K clusters tried and d dimensions, after the decomposition.

    >>> rows = np.array([[0.0, 9.0], [0.1, 9.1], [0.2, 8.8], [9.0, 0.0], [9.2, 0.1], [8.9, 0.3]])
    >>> soft_clusters(rows, rng=np.random.default_rng(0), max_clusters=2)
    [(0, 1, 2), (3, 4, 5)]
    """
    at_least("max_clusters", max_clusters, 1)
    at_least("n_dimensions", n_dimensions, 1)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold: expected a number from 0 to 1, got {threshold}")
    if len(embeddings) == 0:
        return []
    points = principal_components(embeddings, n_dimensions)
    tried = range(1, max(1, min(max_clusters, len(points) - 1)) + 1)
    with np.errstate(over="ignore"):  # found below
        variance = float(points.var(axis=0).sum()) / max(points.shape[1], 1)
    finite("variance of embeddings", np.array(variance))
    floor = max(FLOOR, variance / len(points))
    fitted = [fit_mixture(points, initial_mixture(points, n, rng=rng), floor=floor) for n in tried]
    best = min(fitted, key=lambda mixture: bayesian_information(points, mixture))
    shares = responsibilities(points, best)  # (N, K)
    belongs = (shares > threshold) | (np.arange(shares.shape[1]) == shares.argmax(axis=1, keepdims=True))
    clusters = {tuple(np.flatnonzero(members).tolist()) for members in belongs.T}
    return sorted(clusters - {()})
