"""Softmax: from scores to weights. Not covered: temperature, running over blocks."""

import torch
from jaxtyping import Float64
from torch import Tensor

from reference.checked import checked


@checked
def softmax(scores: Float64[Tensor, "*rows n"]) -> Float64[Tensor, "*rows n"]:
    """Turn each row of scores into weights that sum to 1.

    w[i] = exp(s[i] - m) / (sum over j of exp(s[j] - m)), with m = max over j of s[j], so that no exponential exceeds 1.
    Masked entries are -inf and weigh exactly 0; a row of -inf only gives zeros, gradients included. n = 0: empty.

    Source: Blanchard, Higham and Higham 2021, IMA Journal of Numerical Analysis 41(4) (the shifted formula).
    Departs from it: a fully masked row has a value.

    Args:
        scores: finite or -inf.
    Raises:
        ValueError: a score is NaN or +inf.

    Cost: O(N) for N scores.

    >>> softmax(torch.tensor([0.0, 1e308, 1e308], dtype=torch.float64)).tolist()
    [0.0, 0.5, 0.5]
    >>> softmax(torch.full((2,), -torch.inf, dtype=torch.float64)).tolist()
    [0.0, 0.0]
    """
    invalid = scores.isnan() | (scores == torch.inf)
    if invalid.any():
        raise ValueError(f"scores: expected finite values or -inf, got {scores[invalid][0].item()}")
    if scores.shape[-1] == 0:
        return scores.clone()
    peak = scores.detach().amax(dim=-1, keepdim=True)  # (*rows, 1); a shift: no gradient goes through it
    exponentials = torch.exp(scores - peak.masked_fill(peak == -torch.inf, 0.0))  # (*rows, n)
    totals = exponentials.sum(dim=-1, keepdim=True)  # (*rows, 1): at least 1, or 0 when all is masked
    return exponentials / totals.masked_fill(totals == 0, 1.0)
