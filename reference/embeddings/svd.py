"""The best approximation of a table by few dimensions. Not covered: randomised or sparse algorithms, centring (PCA)."""

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.values import finite

SIGN_TIE = 1e-9  # relative: far above the rounding of an SVD, far below a difference that means something


@checked
def truncated_svd(
    table: Float64[np.ndarray, "R C"], *, k: int
) -> tuple[Float64[np.ndarray, "R {k}"], Float64[np.ndarray, " {k}"], Float64[np.ndarray, "{k} C"]]:
    """Take the `k` largest singular values and their vectors.

    table ≈ U diag(s) Vᵀ, s descending, columns of U and rows of Vᵀ orthonormal; no table of rank k is nearer in the
    Frobenius norm. The rows of U diag(s) are the k-dimensional vectors of the table's rows.
    Signs: in each row of Vᵀ the entry of largest absolute value is positive; entries within a relative 1e-9 of the
    largest tie, the first of them decides; U follows.
    Rank: the number of singular values above s[0] · max(R, C) · 2^-52; more dimensions than that would be noise.
    Where singular values are equal only the space that their vectors span is determined, not the vectors.

    Source: Eckart and Young 1936 (Psychometrika 1); Deerwester et al. 1990 (Journal of the American Society for
    Information Science 41(6)), for words.
    Departs from it: signs are decided.

    Args:
        table: such as PPMI or tf-idf weights.
        k: dimensions to keep, from 1 to the rank.
    Returns:
        U, s and Vᵀ.
    Raises:
        ValueError: `k` is below 1 or above the rank (an empty table or one of zeros has rank 0), or an entry is NaN or
            infinite.

    Cost: O(R·C·min(R, C)) time, O(R·C) memory.

    >>> u, s, vt = truncated_svd(np.array([[0.0, 3.0], [4.0, 0.0]]), k=1)
    >>> (u + 0.0).tolist(), s.tolist(), (vt + 0.0).tolist()
    ([[0.0], [1.0]], [4.0], [[1.0, 0.0]])
    """
    finite("table", table)
    u, s, vt = np.linalg.svd(table, full_matrices=False)
    rank = int((s > s.max(initial=0.0) * max(table.shape) * np.finfo(np.float64).eps).sum())
    if not 1 <= k <= rank:
        raise ValueError(f"k: expected 1 to {rank}, the rank of the table, got {k}")
    signs = _signs(vt[:k])
    return u[:, :k] * signs, s[:k], vt[:k] * signs[:, None]


def _signs(rows: Float64[np.ndarray, "k C"]) -> Float64[np.ndarray, " k"]:
    """The sign of each row's largest entry in absolute value, the first one among ties."""
    sizes = np.abs(rows)
    largest = sizes >= sizes.max(axis=1, keepdims=True) * (1 - SIGN_TIE)
    return np.asarray(np.sign(rows[np.arange(len(rows)), largest.argmax(axis=1)]))
