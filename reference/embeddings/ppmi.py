"""From co-occurrence counts to associations. Not covered: shifted PMI, other measures of association."""

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.values import finite


@checked
def ppmi(counts: Float64[np.ndarray, "R C"], *, smoothing: float | int = 1) -> Float64[np.ndarray, "R C"]:
    """Say how much more often a row and a column meet than if they were independent, and 0 where they do not.

    PPMI[i, j] = max(0, log (p(j | i) / p(j))), natural logarithm, with p(j | i) = counts[i, j] / (total of row i) and
    p(j) = c[j]^α / (sum over k of c[k]^α), c[j] = total of column j, α = `smoothing`. α < 1 makes rare columns more
    probable, which takes from rare pairs their undeserved weight.
    A count of 0 gives 0 (its logarithm, -inf, is clipped), so a row or column of zeros stays 0. With whole counts and
    α = 1 independence gives exactly 0: both quotients round alike.

    Source: Levy, Goldberg and Dagan 2015 (Transactions of the ACL 3), sections 2.1 and 3.2 (context
    distribution smoothing, α = 0.75); Church and Hanks 1990 (Computational Linguistics 16(1)).

    Args:
        counts: co-occurrences, not negative; any table, rows need not be columns.
        smoothing: α, above 0, at most 1; 1 is plain PPMI.
    Returns:
        Associations in nats, 0 or more.
    Raises:
        ValueError: a count is negative, NaN or infinite, their total overflows, or `smoothing` is out of range.

    Cost: O(R·C).

    >>> ppmi(np.array([[2.0, 0.0], [0.0, 2.0]])).round(6)            # log 2
    array([[0.693147, 0.      ],
           [0.      , 0.693147]])
    >>> ppmi(np.array([[1.0, 3.0], [2.0, 6.0]]))                     # independent
    array([[0., 0.],
           [0., 0.]])
    """
    if not 0 < smoothing <= 1:
        raise ValueError(f"smoothing: expected a number above 0, at most 1, got {smoothing}")
    finite("counts", counts)
    if (counts < 0).any():
        raise ValueError(f"counts: expected 0 or more, got {counts.min()}")
    with np.errstate(over="ignore"):
        finite("total of the counts", counts.sum())
    row, column = np.nonzero(counts)  # where there is something to take the logarithm of
    smoothed = counts.sum(axis=0) ** float(smoothing)
    associations = np.zeros_like(counts)
    associations[row, column] = np.maximum(
        0,
        _log_quotient(counts[row, column], counts.sum(axis=1)[row])
        - _log_quotient(smoothed[column], np.full(len(column), smoothed.sum())),
    )
    return associations


def _log_quotient(part: Float64[np.ndarray, " n"], whole: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Log (part / whole), as a difference where float64 has no normal number for the quotient."""
    with np.errstate(under="ignore"):
        quotient = part / whole
    normal = quotient >= np.finfo(np.float64).tiny
    return np.where(normal, np.log(np.where(normal, quotient, 1.0)), np.log(part) - np.log(whole))
