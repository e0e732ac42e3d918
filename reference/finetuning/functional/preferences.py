"""Direct preference optimisation from four log-probabilities a pair. Not covered: label smoothing, other losses."""

from jaxtyping import Float64
from torch import Tensor

from reference.alignment import dpo_losses, implicit_rewards
from reference.checked import checked


@checked
def dpo_loss(
    policy_chosen: Float64[Tensor, " B"],
    policy_rejected: Float64[Tensor, " B"],
    reference_chosen: Float64[Tensor, " B"],
    reference_rejected: Float64[Tensor, " B"],
    beta: float,
) -> Float64[Tensor, ""]:
    """Average over the pairs -log σ(β · (log π(y₊)/π_ref(y₊) - log π(y₋)/π_ref(y₋))).

    The pairwise loss of a reward model whose rewards are the implicit ones of the policy. Policy equal to reference:
    log 2. No gradient goes to the reference.

    Source: Rafailov et al. 2023 (arXiv:2305.18290), equation 7.

    Args:
        policy_chosen: log π of each preferred answer, summed over its tokens.
        policy_rejected: of the other answer.
        reference_chosen: log π_ref of each preferred answer.
        reference_rejected: of the other answer.
        beta: finite, above 0.
    Raises:
        ValueError: there is no pair, a log-probability is not finite or above 0, or beta is out of range.

    Cost: O(B).

    >>> import torch
    >>> four = torch.tensor([[-1.0], [-2.0], [-2.0], [-1.0]], dtype=torch.float64)
    >>> round(dpo_loss(*four, beta=0.5).exp().item(), 9)               # 1 + e^(-1)
    1.367879441
    """
    if not len(policy_chosen):
        raise ValueError("policy_chosen: expected at least one pair, got 0")
    chosen = implicit_rewards(policy_chosen, reference_chosen, beta)  # (B,)
    rejected = implicit_rewards(policy_rejected, reference_rejected, beta)
    return dpo_losses(chosen, rejected).mean()
