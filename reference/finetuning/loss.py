"""The loss of instruction tuning: next-token cross-entropy where the mask is true. Not covered: weights by example."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import finite, token_ids


@checked
def answer_loss(
    logits: Float64[Tensor, "B T V"], ids: Int64[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float64[Tensor, ""]:
    """Average -log p(token | tokens before it) over the tokens that the mask marks, such as those of the answers.

    loss = -(1/N) Σ over b, t with mask[b, t] of log softmax(logits[b, t-1])[ids[b, t]]; N counts them over the whole
    batch, so that a long answer weighs more than a short one. Nothing predicts the first token, so the mask is false
    there. Logits where nothing is marked change nothing, and neither do padded positions, whose ids need only be known.

    Source: Shi et al. 2024 (arXiv:2405.14394): instruction tuning with the loss over outputs alone, to which they
    compare a loss over instructions, too.

    Args:
        logits: at position t for the token at t + 1.
        ids: tokens, padding included.
        mask: true at the tokens to learn.
    Raises:
        ValueError: the mask is true at a first token or nowhere, an id is unknown, or a logit is not finite.

    Cost: O(B·T·V).

    >>> ids, mask = torch.tensor([[0, 1]]), torch.tensor([[False, True]])
    >>> answer_loss(torch.zeros(1, 2, 4, dtype=torch.float64), ids, mask).exp().item()      # uniform over 4
    4.0
    """
    finite("logits", logits)
    token_ids("ids", ids, logits.shape[-1])
    if mask[:, :1].any():
        raise ValueError("mask: expected false at the first token, which nothing predicts, got true")
    if not mask.any():
        raise ValueError("mask: expected at least one token to learn, got none")
    logprobs = torch.log_softmax(logits[:, :-1], dim=-1)  # (B, T-1, V)
    chosen = logprobs.gather(-1, ids[:, 1:, None]).squeeze(-1)  # (B, T-1)
    return -chosen[mask[:, 1:]].mean()
