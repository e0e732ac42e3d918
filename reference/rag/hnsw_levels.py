"""The random levels of HNSW, and how its neighbours are chosen: what both of its versions share."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.rag.ranking import hold_k
from reference.values import at_least, finite


@checked
def draw_levels(n: int, *, m: int, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """Draw the top level of each of `n` vectors.

    level = floor(-ln(U) / ln(m)), U uniform on (0, 1]: a level of at least l has probability m^-l.

    Source: Malkov and Yashunin 2018 (arXiv:1603.09320), algorithm 1, line 4, with m_L = 1 / ln(M) as in section 4.1.

    Args:
        n: number of vectors, 0 or more.
        m: M, links of a new vector, 2 or more.
        rng: one uniform number a vector, in order.
    Raises:
        ValueError: `n` is negative, or `m` below 2.

    Cost: O(n).

    >>> draw_levels(12, m=2, rng=np.random.default_rng(0)).tolist()
    [1, 0, 0, 0, 2, 3, 1, 1, 1, 3, 2, 0]
    """
    at_least("n", n, 0)
    at_least("m", m, 2)
    uniform = 1.0 - rng.random(n)  # of (0, 1], where NumPy draws from [0, 1)
    levels: Int64[np.ndarray, " n"] = np.floor(-np.log(uniform) / np.log(m)).astype(np.int64)
    return levels


@checked
def select_neighbours(
    point: Float64[np.ndarray, " D"], candidates: Sequence[int], vectors: Float64[np.ndarray, "N D"], m: int
) -> list[int]:
    """Choose up to `m` neighbours of `point` that lie in different directions.

    Candidates are looked at from the nearest to the farthest (ties: the lowest index first). One is kept unless it is
    nearer to a kept one than to `point`; an equal distance does not count as nearer. It stops at `m` kept.

    Source: Malkov and Yashunin 2018 (arXiv:1603.09320), algorithm 4, neither extendCandidates nor
    keepPrunedConnections.
    Departs from it: ties are kept, so that copies of one vector stay linked.

    Args:
        point: whose neighbours they will be.
        candidates: rows of `vectors`, each once.
        vectors: all vectors.
        m: the largest number to keep.
    Returns:
        Rows that are kept, the nearest first.
    Raises:
        ValueError: a candidate is no row of `vectors`.

    Cost: O(C·m·D + C·log C) for C candidates.

    >>> vectors = np.array([[1.0], [2.0], [-3.0]])
    >>> select_neighbours(np.array([0.0]), [0, 1, 2], vectors, m=3)      # 2.0 is nearer to 1.0 than to 0.0
    [0, 2]
    """
    if candidates and not 0 <= min(candidates) <= max(candidates) < len(vectors):
        extreme = min(candidates) if min(candidates) < 0 else max(candidates)
        raise ValueError(f"candidates: expected rows from 0 to {len(vectors) - 1}, got {extreme}")
    kept: list[int] = []
    for distance, candidate in sorted((squared_distance(point, vectors[i]), i) for i in candidates):
        if len(kept) < m and all(squared_distance(vectors[candidate], vectors[i]) >= distance for i in kept):
            kept.append(candidate)
    return kept


def squared_distance(x: Float64[np.ndarray, " D"], y: Float64[np.ndarray, " D"]) -> float:
    """Sum (x[d] - y[d])² over d. Not held by `@checked`, which would take longer than the sum."""
    return float(((x - y) ** 2).sum())


def hold_construction(vectors: Float64[np.ndarray, "N D"], m: int, ef_construction: int) -> None:
    """Hold the arguments of an index to what it can work with.

    Raises:
        ValueError: a value is not finite, vectors are so far apart that squared distances can overflow, `m` is below 2,
            or `ef_construction` below 1.
    """
    finite("vectors", vectors)
    if len(vectors):
        with np.errstate(over="ignore"):  # found below
            widest = ((vectors.max(axis=0) - vectors.min(axis=0)) ** 2).sum(keepdims=True)
        finite("squared distances of vectors", widest)
    at_least("m", m, 2)
    at_least("ef_construction", ef_construction, 1)


def hold_search(queries: Float64[np.ndarray, "Q D"], k: int, ef: int, vectors: Float64[np.ndarray, "N D"]) -> None:
    """Hold the arguments of a search.

    Raises:
        ValueError: a value is not finite, queries have another width than the vectors, `k` is negative or larger than
            the corpus, or `ef` is below `k` or 1.
    """
    finite("queries", queries)
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"queries: expected width D = {vectors.shape[1]}, got {queries.shape[1]}")
    hold_k(k, len(vectors))
    at_least("ef", ef, max(k, 1))


def hold_found(indices: Int64[np.ndarray, "Q k"], distances: Float64[np.ndarray, "Q k"]) -> None:
    """Hold the squared distances of the vectors that were found; where none was, the index is -1.

    Raises:
        ValueError: one has overflowed.
    """
    finite("squared distances to queries", distances[indices >= 0])
