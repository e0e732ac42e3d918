"""Averages over the tokens that count, and advantages on one scale. Not covered: averages by sequence."""

import math

from jaxtyping import Bool, Float64
from torch import Tensor

from reference.checked import checked
from reference.values import finite

SMALL = 1e-8  # beside a standard deviation, so that equal advantages become 0 and not rounding noise


@checked
def masked_mean(values: Float64[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float64[Tensor, ""]:
    """Average the values where the mask is true, over the whole batch: every token weighs the same.

    What stands elsewhere, NaN included, changes nothing, and no gradient goes there.

    Source: Schulman et al. 2017 (arXiv:1707.06347), section 2.1 (an expectation, estimated by an average).
    Departs from it: only the marked tokens count.

    Args:
        values: one a token.
        mask: true at tokens that count.
    Raises:
        ValueError: the mask is true nowhere, a value that counts is not finite, or their sum overflows.

    Cost: O(B·T).

    >>> import torch
    >>> values, mask = torch.tensor([[1.0, 3.0, 9.0]], dtype=torch.float64), torch.tensor([[True, True, False]])
    >>> masked_mean(values, mask).item()
    2.0
    """
    mean = _chosen(values, mask).mean()
    finite("mean of values", mean.detach())
    return mean


@checked
def whiten(values: Float64[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float64[Tensor, "B T"]:
    """Shift and scale the values where the mask is true to mean 0 and standard deviation 1; elsewhere 0.

    (values - mean) / (std + 1e-8) with the population's standard deviation, both over all tokens that count. Equal
    values, or a single one: 0.

    Source: Huang et al. 2022, The 37 Implementation Details of Proximal Policy Optimization, detail 7.
    Departs from it: only the marked tokens count.

    Args:
        values: one a token, such as advantages.
        mask: true at tokens that count.
    Raises:
        ValueError: the mask is true nowhere, or a value that counts is not finite.

    Cost: O(B·T).

    >>> import torch
    >>> values, mask = torch.tensor([[1.0, 3.0, 9.0]], dtype=torch.float64), torch.tensor([[True, True, False]])
    >>> whiten(values, mask).round(decimals=6).tolist()
    [[-1.0, 1.0, 0.0]]
    """
    counted = _chosen(values, mask)  # (N,)
    _, exponent = math.frexp(counted.detach().abs().max().item())
    scale = math.ldexp(1.0, -max(exponent, 0))  # a power of 2, hence exact, so that no square or sum overflows
    origin = counted[0] * scale  # taken away first, so that equal values have no rounding left to be scaled up
    shifted = values.masked_fill(~mask, 0.0) * scale - origin  # (B, T)
    chosen = shifted[mask]  # (N,)
    return ((shifted - chosen.mean()) / (chosen.std(correction=0) + SMALL * scale)).masked_fill(~mask, 0.0)


def _chosen(values: Float64[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float64[Tensor, " N"]:
    if not mask.any():
        raise ValueError("mask: expected at least one token that counts, got none")
    chosen = values[mask]
    finite("values", chosen)
    return chosen
