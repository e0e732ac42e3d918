"""A table of positions that is trained like any other embedding. Not covered: how it starts and how it is trained."""

from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked


@checked
def learned(table: Float64[Tensor, "N D"], positions: Int64[Tensor, "*B T"]) -> Float64[Tensor, "*B T D"]:
    """Look up the row of every position.

    vectors[…, t] = table[positions[…, t]]. A row that is looked up n times gets the sum of n gradients. A position that
    the table does not hold has no vector: there is no wrapping round and no counting from the end.

    Source: Devlin et al. 2019 (arXiv:1810.04805), section 3 (input representation); Gehring et al. 2017
    (arXiv:1705.03122), section 3.1.

    Args:
        table: one row a position, from position 0 on.
        positions: in any order, repeated or not; none: an empty result.
    Raises:
        ValueError: a position is negative, or N or more.

    Cost: O(B·T·D).

    >>> import torch
    >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    >>> learned(table, torch.tensor([1, 0, 1])).tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    >>> learned(table, torch.tensor([2]))
    Traceback (most recent call last):
    ValueError: positions: expected 0 or more and less than N = 2, got 2
    """
    outside = (positions < 0) | (positions >= len(table))
    if outside.any():
        raise ValueError(
            f"positions: expected 0 or more and less than N = {len(table)}, got {positions[outside][0].item()}"
        )
    return table[positions]
