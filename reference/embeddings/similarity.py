"""How alike two vectors are, and which ones are nearest. Not covered: search without looking at every vector."""

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.values import at_least, finite, known_ids


@checked
def unit_rows(vectors: Float64[np.ndarray, "R m"]) -> Float64[np.ndarray, "R m"]:
    """Divide each row by its Euclidean length.

    u = x / √(sum of x²). A zero row stays zero. Rows are first divided by their largest entry in absolute value, so
    neither 1e300 nor 1e-300 overflows or vanishes when squared, and rows that are exact multiples of each other become
    the same row, to the last bit.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), section 6.3.1.

    Args:
        vectors: one a row.
    Raises:
        ValueError: an entry is NaN or infinite.

    Cost: O(R·m).

    >>> unit_rows(np.array([[3e200, 4e200], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    finite("vectors", vectors)
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)  # (R, 1)
    scaled = vectors / np.where(largest > 0, largest, 1.0)
    lengths = np.sqrt((scaled**2).sum(axis=1, keepdims=True))  # (R, 1): 0, or from 1 to √m
    return scaled / np.where(lengths > 0, lengths, 1.0)


@checked
def cosine_similarity(a: Float64[np.ndarray, "R m"], b: Float64[np.ndarray, "C m"]) -> Float64[np.ndarray, "R C"]:
    """Cosine of the angle between every vector of `a` and every vector of `b`.

    cos[i, j] = a[i] · b[j] / (‖a[i]‖ ‖b[j]‖), clipped to [-1, 1], which rounding may leave. A zero vector has cosine 0
    with everything, itself included. m = 0: all vectors are zero vectors.
    Each cosine is computed by itself, in one order of additions: equal rows have equal cosines wherever they stand.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), equation 6.10.
    Departs from it: zero vectors have a value.

    Args:
        a: vectors, one a row.
        b: vectors, one a row.
    Raises:
        ValueError: an entry is NaN or infinite.

    Cost: O(R·C·m) time, O(R·C + C·m) memory.

    >>> cosine_similarity(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [-3.0, 0.0], [0.0, 0.0]]))
    array([[ 1., -1.,  0.]])
    """
    left, right = unit_rows(a), unit_rows(b)
    cosines = np.zeros((len(a), len(b)))
    for row, vector in enumerate(left):
        cosines[row] = (right * vector).sum(axis=1)  # not `@`, whose rounding depends on a row's place
    return cosines.clip(-1, 1)


@checked
def nearest_neighbours(
    vectors: Float64[np.ndarray, "V m"], query: Float64[np.ndarray, " m"], *, k: int, exclude: list[int]
) -> tuple[Int64[np.ndarray, " {k}"], Float64[np.ndarray, " {k}"]]:
    """Find the `k` vectors of highest cosine with the query.

    Order: highest cosine first. Ties: the smaller id. Equal cosines are equal as float64 numbers; vectors that are the
    same, or exact multiples, tie exactly. A zero query ties with everything: the smallest ids. k = 0: nothing.

    Source: Mikolov et al. 2013 (arXiv:1301.3781), section 4 (closest word by cosine, input words discarded).
    Departs from it: ties are decided.

    Args:
        vectors: one a token; a token's id is its row.
        query: a vector of the same width: a token's own, or "king - man + woman".
        k: how many.
        exclude: ids that are not to be found, such as the query's own, [] for none; repeating one changes nothing.
    Returns:
        Ids and their cosines.
    Raises:
        ValueError: `k` is negative or more than there are tokens not excluded, an id is not known, or an entry is NaN
            or infinite.

    Cost: O(V·(m + log V)).

    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0], [2.0, 2.0]])
    >>> ids, cosines = nearest_neighbours(vectors, vectors[0], k=2, exclude=[0])
    >>> ids, cosines.round(6)                                        # 2 and 3 tie: the smaller id
    (array([2, 3]), array([0.707107, 0.707107]))
    """
    known_ids("exclude", exclude, len(vectors))
    candidates = np.setdiff1d(np.arange(len(vectors)), np.array(exclude, dtype=np.int64))  # ascending ids
    at_least("k", k, 0)
    if k > len(candidates):
        raise ValueError(f"k: expected at most {len(candidates)}, the number of candidates, got {k}")
    cosines = cosine_similarity(query[None], vectors)[0, candidates]
    best = np.argsort(-cosines, kind="stable")[:k]  # stable: the smaller id stays ahead of its ties
    return candidates[best], cosines[best]
