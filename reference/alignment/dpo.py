"""Direct preference optimisation: preferences teach the policy without a reward model. Not covered: IPO, KTO, SimPO."""

from jaxtyping import Float64
from torch import Tensor

from reference.alignment.preferences import log_sigmoid
from reference.checked import checked
from reference.values import above_zero, finite


@checked
def implicit_rewards(
    policy: Float64[Tensor, " B"], reference: Float64[Tensor, " B"] | None, beta: float
) -> Float64[Tensor, " B"]:
    """Give the reward for which the policy would be optimal, up to a constant of the prompt: β · log(π / π_ref).

    Without reference (None), every completion is as likely to it: β · log π. No gradient goes to the reference.

    Source: Rafailov et al. 2023 (arXiv:2305.18290), equation 5 and section 4.

    Args:
        policy: log π(y | x) of each completion, as `sequence_logprobs` gives it.
        reference: log π_ref(y | x) of each completion, or None.
        beta: finite, above 0; large values hold the policy to the reference.
    Raises:
        ValueError: a log-probability is not finite or above 0, or beta is out of range.

    Cost: O(B).

    >>> import torch
    >>> policy, reference = torch.tensor([[-1.0], [-3.0]], dtype=torch.float64)
    >>> implicit_rewards(policy, reference, beta=0.5).tolist()
    [1.0]
    """
    above_zero("beta", beta)
    _require_logprobs("policy", policy)
    if reference is None:
        return beta * policy
    _require_logprobs("reference", reference)
    return beta * (policy - reference.detach())


@checked
def dpo_losses(
    chosen_rewards: Float64[Tensor, " B"], rejected_rewards: Float64[Tensor, " B"], label_smoothing: float = 0.0
) -> Float64[Tensor, " B"]:
    """Give the loss of each pair from the implicit rewards of its two completions.

    loss = -(1 - ε) · log σ(r_chosen - r_rejected) - ε · log σ(r_rejected - r_chosen), where a share ε of the labels is
    taken to be the wrong way round. With ε = 0 it is the pairwise loss of a reward model; with ε above 0 it is smallest
    at the margin log((1 - ε) / ε), no longer at infinity. Policy equal to reference: log 2. No pair: no loss.

    The gradient for ε = 0 is -β · σ(r_rejected - r_chosen) · (∇ log π(chosen) - ∇ log π(rejected)).

    Source: Rafailov et al. 2023 (arXiv:2305.18290), equation 7; Mitchell 2023, A note on DPO with noisy preferences,
    for ε.

    Args:
        chosen_rewards: `implicit_rewards` of the preferred completions.
        rejected_rewards: of the others.
        label_smoothing: ε, from 0 to below 0.5.
    Raises:
        ValueError: a reward, or the difference of two, is not finite, or the label smoothing is out of range.

    Cost: O(B).

    >>> import torch
    >>> chosen, rejected = torch.tensor([[0.0, 700.0], [0.0, -700.0]], dtype=torch.float64)
    >>> dpo_losses(chosen, rejected).tolist()
    [0.6931471805599453, 0.0]
    >>> dpo_losses(chosen, rejected, label_smoothing=0.25).tolist()
    [0.6931471805599453, 350.0]
    """
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing: expected a number from 0 to below 0.5, got {label_smoothing}")
    finite("chosen_rewards", chosen_rewards)
    finite("rejected_rewards", rejected_rewards)
    margins = chosen_rewards - rejected_rewards  # (B,)
    finite("chosen_rewards - rejected_rewards", margins)
    return -(1 - label_smoothing) * log_sigmoid(margins) - label_smoothing * log_sigmoid(-margins)


def _require_logprobs(name: str, logprobs: Float64[Tensor, " B"]) -> None:
    finite(name, logprobs)
    if (logprobs > 0).any():
        raise ValueError(f"{name}: expected log-probabilities of at most 0, got {logprobs.max().item()}")
