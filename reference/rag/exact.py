"""Exact search by inner product: every query against every vector. Not covered: speed, other distances."""

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.rag.ranking import top_k
from reference.values import finite


@checked
def inner_product_search(
    queries: Float64[np.ndarray, "Q D"], vectors: Float64[np.ndarray, "N D"], k: int
) -> tuple[Int64[np.ndarray, "Q k"], Float64[np.ndarray, "Q k"]]:
    """Find for each query the `k` vectors of largest inner product, the largest first.

    score[q, i] = sum over d of queries[q, d] · vectors[i, d]; for vectors of length 1 it is the cosine. Every
    product is summed in the same order, which matrix products do not promise: equal vectors tie exactly, and the
    lowest index wins. No query: empty. D = 0: every score is 0.

    Source: Karpukhin et al. 2020 (arXiv:2004.04906), equation 1.
    Departs from it: exhaustive; ties are decided.

    Args:
        queries: finite.
        vectors: finite, one for each document.
        k: from 0 to N.
    Returns:
        Indices and scores.
    Raises:
        ValueError: a value is NaN or infinite, a score overflows, or `k` is negative or larger than N.

    Cost: O(Q·N·(D + log N)) time, O(N·(Q + D)) memory.

    >>> vectors = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    >>> indices, scores = inner_product_search(np.array([[1.0, 0.25]]), vectors, k=2)
    >>> indices.tolist(), scores.tolist()
    ([[0, 2]], [[1.0, 1.0]])
    """
    finite("queries", queries)
    finite("vectors", vectors)
    scores = np.zeros((len(queries), len(vectors)))
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        for row, query in zip(scores, queries, strict=True):
            row[:] = (vectors * query).sum(axis=-1)
    finite("scores", scores)
    best = top_k(scores, k)
    return best, np.take_along_axis(scores, best, axis=-1)
