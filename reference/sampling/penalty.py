"""Repetition penalty. Not covered: frequency and presence penalties, forbidden n-grams."""

import sys

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference import values
from reference.checked import checked
from reference.sampling.distribution import require_possible


@checked
def repetition_penalty(
    logits: Float64[Tensor, "B V"], ids: Int64[Tensor, "B T"], penalty: float | int
) -> Float64[Tensor, "B V"]:
    """Make tokens that have come before less probable (penalty above 1) or more (below 1).

    For each token v in `ids`, however often it came: l[v] ← l[v] / penalty where l[v] > 0, l[v] · penalty where
    l[v] < 0; a logit of 0 stays, and so does -inf. Other tokens, and every row with T = 0, are unchanged.

    Source: Keskar et al. 2019 (arXiv:1909.05858), section 4.1.
    Departs from it: negative logits are multiplied, since dividing would make them more probable.

    Args:
        logits: finite or -inf.
        ids: what came before, the prompt included.
        penalty: finite, above 0; 1 changes nothing.
    Raises:
        ValueError: `penalty` is out of range, an id is unknown, V = 0, a logit is NaN or +inf or becomes +inf, or all
            logits of a row are -inf or become so.

    Cost: O(B·(V + T)).

    >>> logits = torch.tensor([[2.0, -2.0, 2.0, -2.0]], dtype=torch.float64)
    >>> repetition_penalty(logits, torch.tensor([[0, 1, 1]]), 4).tolist()
    [[0.5, -8.0, 2.0, -2.0]]
    """
    if not 0 < penalty <= sys.float_info.max:
        raise ValueError(f"penalty: expected a finite number above 0, got {penalty}")
    require_possible(logits)
    values.token_ids("ids", ids, logits.shape[-1])
    came = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ids, value=True)  # (B, V)
    divisor = torch.tensor(float(penalty), dtype=logits.dtype, device=logits.device)  # CUDA inverts plain numbers
    penalised = torch.where(logits > 0, logits / divisor, logits * divisor)
    result = torch.where(came, penalised, logits)
    values.logits("logits under the penalty", result)
    if (result == -torch.inf).all(dim=-1).any():
        raise ValueError("logits under the penalty: expected at least one above -inf, got a row beyond float64")
    return result
