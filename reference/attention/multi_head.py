"""Multi-head attention: several small attentions side by side, over the same positions or over a memory.

Not covered: biases, dropout, heads that share their keys (see `grouped_query`).
"""

from jaxtyping import Bool, Float64
from torch import Tensor

from reference.attention.dot_product import scaled_dot_product
from reference.attention.heads import join, require_divisor, split
from reference.attention.masks import causal_mask
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
    No position: an empty result.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2.
    Departs from it: the heads' projections are the column blocks of one matrix each.

    Args:
        x: one vector of width D a position.
        w_q: projects to queries, applied on the right.
        w_k: projects to keys, applied on the right.
        w_v: projects to values, applied on the right.
        w_o: projects the concatenated heads, applied on the right.
        n_heads: H, a divisor of D.
        causal: whether position i sees only positions j <= i.
    Raises:
        ValueError: D is 0, `n_heads` is below 1 or does not divide D, or a score or a value is not finite.

    Cost: O(B·T·D·(D + T)) time, O(B·T·(D + H·T)) memory.

    >>> import torch
    >>> identity = torch.eye(2, dtype=torch.float64)
    >>> x = torch.tensor([[[1.0, 0.0], [5.0, 3.0]]], dtype=torch.float64)
    >>> multi_head(x, identity, identity, identity, identity, n_heads=2, causal=True)[0, 0].tolist()
    [1.0, 0.0]
    """
    mask = causal_mask(x.shape[1], device=x.device) if causal else None
    return cross_attention(x, x, w_q, w_k, w_v, w_o, n_heads, mask)


@checked
def cross_attention(
    x: Float64[Tensor, "B T D"],
    memory: Float64[Tensor, "B S M"],
    w_q: Float64[Tensor, "D D"],
    w_k: Float64[Tensor, "M D"],
    w_v: Float64[Tensor, "M D"],
    w_o: Float64[Tensor, "D D"],
    n_heads: int,
    mask: Bool[Tensor, "#B #H #T #S"] | Bool[Tensor, "#T #S"] | None = None,
) -> Float64[Tensor, "B T D"]:
    """Attend to `memory` from `x` with `n_heads` heads: a decoder's positions read an encoder's outputs.

    As `multi_head`, with queries x w_q, keys memory w_k and values memory w_v. What is masked throughout, and an empty
    memory (S = 0), gives zeros.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3 (encoder-decoder attention).
    Departs from it: the memory may have a width M of its own.

    Args:
        x: what asks, one vector of width D a position.
        memory: what is looked at, one vector of width M a position.
        w_q: projects to queries, applied on the right.
        w_k: projects to keys, applied on the right.
        w_v: projects to values, applied on the right.
        w_o: projects the concatenated heads, applied on the right.
        n_heads: H, a divisor of D.
        mask: true where position T may look at position S of the memory, a dimension of 1 stands for all; for texts of
            several lengths: `padding_mask(lengths, S)[:, None, None, :]`. None: everywhere.
    Raises:
        ValueError: D is 0, `n_heads` is below 1 or does not divide D, or a score or a value is not finite.

    Cost: O(B·D·(T·D + S·M + T·S)) time, O(B·((T + S)·D + H·T·S)) memory.

    >>> import torch
    >>> identity = torch.eye(2, dtype=torch.float64)
    >>> x, memory = torch.zeros(1, 1, 2, dtype=torch.float64), torch.tensor([[[2.0, 0], [4, 6]]], dtype=torch.float64)
    >>> cross_attention(x, memory, identity, identity, identity, identity, n_heads=1).tolist()   # equal scores: a mean
    [[[3.0, 3.0]]]
    """
    require_divisor(n_heads, x.shape[-1])
    queries = split(x @ w_q, n_heads)  # (B, H, T, D/H)
    keys, values = (split(memory @ w, n_heads) for w in (w_k, w_v))  # (B, H, S, D/H) each
    heads, _ = scaled_dot_product(queries, keys, values, mask)  # (B, H, T, D/H)
    return join(heads) @ w_o
