"""From scores to ranks: the k best, ties decided. Shared by every search of this package."""

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.values import logits


@checked
def top_k(scores: Float64[np.ndarray, "*Q N"], k: int) -> Int64[np.ndarray, "*Q k"]:
    """Find the `k` highest scores of each row, the highest first.

    Ties: the lowest index wins. -inf means "never" and comes last, yet is returned if `k` reaches it. k = 0: empty.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 6.3.3.
    Departs from it: ties are decided; a full sort, no heap.

    Args:
        scores: finite or -inf, one for each document.
        k: from 0 to N.
    Returns:
        Indices of documents.
    Raises:
        ValueError: a score is NaN or +inf, or `k` is negative or larger than N.

    Cost: O(Q·N·log N) time, O(Q·N) memory.

    >>> top_k(np.array([0.5, 2.0, 0.5, 2.0]), k=3).tolist()
    [1, 3, 0]
    """
    logits("scores", scores)
    hold_k(k, scores.shape[-1])
    return np.argsort(-scores, axis=-1, kind="stable")[..., :k].astype(np.int64)


def hold_k(k: int, n_documents: int) -> None:
    """Hold `k` to 0 up to the size of the corpus.

    Raises:
        ValueError: it is negative or larger than `n_documents`.
    """
    if not 0 <= k <= n_documents:
        raise ValueError(f"k: expected 0 to {n_documents}, the number of documents, got {k}")
