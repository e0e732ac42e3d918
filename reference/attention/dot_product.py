"""Scaled dot-product attention: weights from queries and keys, outputs from weights and values. One head."""

import math

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from reference.attention.weights import softmax
from reference.checked import checked
from reference.values import finite


@checked
def scaled_dot_product(
    q: Float64[Tensor, "*B T d"],
    k: Float64[Tensor, "*B S d"],
    v: Float64[Tensor, "*B S e"],
    mask: Bool[Tensor, "*#B #T #S"] | None = None,
) -> tuple[Float64[Tensor, "*B T e"], Float64[Tensor, "*B T S"]]:
    """Let every query gather the values whose keys resemble it.

    weights = softmax(q kᵀ / √d), outputs = weights v. Where the mask is false the score is -inf, so the weight is
    exactly 0; a query that may look nowhere, or S = 0, gives zeros. T = 0: empty. Scores up to the largest float64 are
    fine; one that overflows, itself or in a sum on the way, is refused, masked or not.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), equation 1.
    Departs from it: a fully masked query has a value.

    Args:
        q: queries.
        k: keys, of the queries' width.
        v: values, one for each key.
        mask: true where query T may look at key S; a dimension of 1, or a leading one left out, stands for all. None:
            everywhere.
    Returns:
        Outputs and weights.
    Raises:
        ValueError: d is 0, or a score or a value is not finite.

    Cost: O(B·T·S·(d + e)) time, O(B·T·S) memory.

    >>> q, k, v = (torch.tensor([rows], dtype=torch.float64) for rows in ([[0.0]], [[1.0], [2.0]], [[4.0], [8.0]]))
    >>> scaled_dot_product(q, k, v)[0].tolist()                      # equal scores: the mean of the values
    [[[6.0]]]
    >>> scaled_dot_product(q, k, v, torch.tensor([[False, True]]))[0].tolist()
    [[[8.0]]]
    """
    scores = scaled_scores(q, k)
    finite("v", v)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = softmax(scores)
    return weights @ v, weights  # (*B, T, e), (*B, T, S)


def root_width(q: Float64[Tensor, "*B T d"]) -> float:
    """√d, refused where d is 0."""
    if q.shape[-1] == 0:
        raise ValueError("q: expected a width d of 1 or more, got 0")
    return math.sqrt(q.shape[-1])


def scaled_scores(q: Float64[Tensor, "*B T d"], k: Float64[Tensor, "*B S d"]) -> Float64[Tensor, "*B T S"]:
    """q kᵀ / √d, refused where d is 0 or a score is not finite."""
    scores = (q / root_width(q)) @ k.transpose(-2, -1)  # divided first: q kᵀ might overflow where the score does not
    if not scores.isfinite().all():
        raise ValueError(f"q kᵀ / √d: expected finite scores, got {scores[~scores.isfinite()][0].item()}")
    return scores
