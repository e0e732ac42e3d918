"""Cross-entropy from logits. Not covered: label smoothing, class weights, the z-loss."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference import values
from reference.checked import checked

IGNORED = -100  # no token id: a target that does not count


@checked
def cross_entropy(
    logits: Float64[Tensor, "*n V"], targets: Int64[Tensor, "*n"], ignored: int = IGNORED
) -> Float64[Tensor, ""]:
    """Mean negative log-likelihood of the targets, in nats a counted token.

    loss = mean over counted i of (log Σ_v exp(l[i, v] - m[i]) - (l[i, y[i]] - m[i])), with m[i] the largest l[i, v], so
    that no exponential exceeds 1. A target equal to `ignored` does not count, whatever its logits are; where no
    target counts, the mean does not exist and the call raises. A logit of -inf is a token that never comes: as a
    target its loss is +inf.

    Source: Bengio et al. 2003, A Neural Probabilistic Language Model, section 2 (the log-likelihood that is maximised).
    Departs from it: no penalty on the weights.

    Args:
        logits: finite or -inf; one row of V a position.
        targets: the token that came, or `ignored`.
        ignored: stands for "does not count"; may also be the id of a token, such as padding.
    Returns:
        A scalar with gradients: (softmax(l[i]) - onehot(y[i])) / counted in the rows that count, 0 elsewhere.
    Raises:
        ValueError: V = 0, no target counts, a counted target is no token id, a logit is NaN or +inf, or all logits of a
            counted position are -inf.

    Cost: O(n·V).

    >>> logits = torch.tensor([[0.0, 0.0], [1e308, -1e308], [3.0, 7.0]], dtype=torch.float64)
    >>> round(cross_entropy(logits, torch.tensor([1, 0, -100])).item(), 4)      # (log 2 + 0) / 2
    0.3466
    """
    counted = targets != ignored
    rows, chosen = logits[counted], targets[counted]  # (N, V), (N,)
    _require_countable(logits, rows, chosen)
    shifted = rows - rows.detach().amax(dim=-1, keepdim=True)  # a shift: no gradient goes through it
    log_totals = shifted.exp().sum(dim=-1).log()  # (N,)
    losses = log_totals - shifted.gather(-1, chosen[:, None])[:, 0]
    mean = losses.mean()
    return mean if mean.isfinite() else (losses / len(losses)).sum()  # where only the sum is beyond float64


def _require_countable(
    logits: Float64[Tensor, "*n V"], rows: Float64[Tensor, "N V"], chosen: Int64[Tensor, " N"]
) -> None:
    """Hold the counted rows to distributions, and their targets to tokens."""
    if logits.shape[-1] == 0:
        raise ValueError("logits: expected a vocabulary of 1 or more, got 0")
    values.logits("logits", logits)
    if not len(chosen):
        raise ValueError("targets: expected at least one that counts, got none")
    values.token_ids("targets", chosen, logits.shape[-1])
    if (rows == -torch.inf).all(dim=-1).any():
        raise ValueError("logits: expected a finite one at every counted position, got only -inf")
