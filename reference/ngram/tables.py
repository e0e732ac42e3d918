"""What a table of transition probabilities must be before it is used. Not covered: where it comes from."""

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.ngram.alphabet import ALPHABET

# 40 float64 terms sum to 1 within 40 · 2^-53 ≈ 4e-15; a table that was once float32 (1e-7) is refused.
SUM_TOLERANCE = 1e-9


@checked
def require_table(probabilities: Float64[np.ndarray, "V V"]) -> None:
    """Hold `probabilities` to what the model needs: one distribution over `ALPHABET` in each row.

    Raises:
        ValueError: another size, a value that is negative or not a number, or a row that does not sum to 1.

    Cost: O(V²).

    >>> require_table(np.full((40, 40), 1 / 40))
    >>> require_table(np.full((40, 40), 1.0))
    Traceback (most recent call last):
    ValueError: probabilities: expected rows that sum to 1, got 40.0 in row 0
    """
    if len(probabilities) != len(ALPHABET):
        raise ValueError(f"probabilities: expected {len(ALPHABET)} rows, got {len(probabilities)}")
    valid = probabilities >= 0  # NaN is not
    if not valid.all():
        raise ValueError(f"probabilities: expected 0 or more, got {probabilities[~valid][0]}")
    with np.errstate(over="ignore"):  # refused below
        totals = probabilities.sum(axis=1)
    worst = int(np.abs(totals - 1).argmax())
    if not abs(totals[worst] - 1) <= SUM_TOLERANCE:
        raise ValueError(f"probabilities: expected rows that sum to 1, got {totals[worst]} in row {worst}")
