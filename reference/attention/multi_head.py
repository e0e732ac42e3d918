"""Multi-head self-attention: several small attentions side by side over the same positions."""

import torch
from jaxtyping import Float64
from torch import Tensor

from reference.attention.dot_product import scaled_dot_product
from reference.attention.weights import causal_mask
from reference.checked import checked


@checked
def multi_head(
    x: Float64[Tensor, "B T D"],
    w_q: Float64[Tensor, "D D"],
    w_k: Float64[Tensor, "D D"],
    w_v: Float64[Tensor, "D D"],
    w_o: Float64[Tensor, "D D"],
    n_heads: int,
    causal: bool = False,
) -> Float64[Tensor, "B T D"]:
    """Attend to `x` from itself with `n_heads` heads, concatenate them in order and project.

    multi_head(x) = concat(head_0, …, head_{H-1}) w_o; head_h is the scaled dot-product attention of columns
    h·D/H to (h+1)·D/H, the end excluded, of x w_q, x w_k and x w_v. Scores are divided by √(D/H), the head's width.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2.
    Departs from it: the heads' projections are the column blocks of one matrix each; no bias.

    Args:
        x: one vector of width D a position.
        w_q: projects to queries, applied on the right.
        w_k: projects to keys, applied on the right.
        w_v: projects to values, applied on the right.
        w_o: projects the concatenated heads, applied on the right.
        n_heads: H, a divisor of D.
        causal: whether position i sees only positions j <= i.
    Raises:
        ValueError: `n_heads` is below 1 or does not divide D, or a score is not finite.

    Cost: O(B·T·D·(D + T)) time, O(B·T·(D + H·T)) memory.

    >>> identity = torch.eye(2, dtype=torch.float64)
    >>> x = torch.tensor([[[1.0, 0.0], [5.0, 3.0]]], dtype=torch.float64)
    >>> multi_head(x, identity, identity, identity, identity, n_heads=2, causal=True)[0, 0].tolist()
    [1.0, 0.0]
    """
    model_width = x.shape[-1]
    if n_heads < 1 or model_width % n_heads:
        raise ValueError(f"n_heads: expected a divisor of D = {model_width}, got {n_heads}")
    mask = causal_mask(x.shape[1]) if causal else None
    queries, keys, values = (_split(x @ w, n_heads) for w in (w_q, w_k, w_v))  # (B, H, T, D/H) each
    heads, _ = scaled_dot_product(queries, keys, values, mask)  # (B, H, T, D/H)
    concatenated = heads.transpose(1, 2).flatten(start_dim=2)  # (B, T, D)
    return concatenated @ w_o


def _split(x: Float64[Tensor, "B T D"], n_heads: int) -> Float64[Tensor, "B H T D/H"]:
    """Cut the last dimension into heads and put them before the positions."""
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)
