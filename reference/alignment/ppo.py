"""PPO's losses: clipped steps of policy and value, a bonus for entropy. Not covered: rollouts, minibatches, steps."""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from reference.alignment.averages import masked_mean
from reference.checked import checked
from reference.values import finite, weight


@checked
def policy_losses(
    logprobs: Float64[Tensor, "B T"],
    old_logprobs: Float64[Tensor, "B T"],
    advantages: Float64[Tensor, "B T"],
    clip: float,
) -> Float64[Tensor, "B T"]:
    """Give each token's policy loss: the probability ratio times the advantage, with no reward for going too far.

    With ρ = exp(logprobs - old_logprobs): loss = -min(ρ · A, clip(ρ, 1 - ε, 1 + ε) · A). Beyond 1 + ε with A above 0,
    and below 1 - ε with A below 0, the loss is flat and its gradient 0; on the other side it is not clipped, so that a
    bad step is undone. On the boundary itself the gradient is the unclipped one. A = 0: loss and gradient 0.
    Gradients go to `logprobs` only. Average over the real tokens with `masked_mean`.

    Source: Schulman et al. 2017 (arXiv:1707.06347), equation 7.

    Args:
        logprobs: of the tokens under the policy that trains.
        old_logprobs: under the policy that drew them.
        advantages: of the tokens.
        clip: ε, finite and not negative; 0.2 is usual.
    Raises:
        ValueError: a log-probability, advantage or ratio is not finite, or the clip is negative or not finite.

    Cost: O(B·T).

    >>> import math
    >>> logprobs = torch.tensor([[math.log(0.75), math.log(0.75)]], dtype=torch.float64)
    >>> old_logprobs = torch.full_like(logprobs, math.log(0.5))         # ρ = 1.5
    >>> advantages = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    >>> policy_losses(logprobs, old_logprobs, advantages, clip=0.25).round(decimals=9).tolist()
    [[-1.25, 1.5]]
    """
    weight("clip", clip)
    finite("logprobs", logprobs)
    finite("old_logprobs", old_logprobs)
    finite("advantages", advantages)
    ratios = torch.exp(logprobs - old_logprobs.detach())  # (B, T)
    finite("exp(logprobs - old_logprobs)", ratios)
    fixed = advantages.detach()
    too_far = ((ratios > 1 + clip) & (fixed > 0)) | ((ratios < 1 - clip) & (fixed < 0))  # (B, T)
    return -torch.where(too_far, ratios.clamp(1 - clip, 1 + clip), ratios) * fixed


@checked
def value_losses(
    values: Float64[Tensor, "B T"],
    old_values: Float64[Tensor, "B T"],
    returns: Float64[Tensor, "B T"],
    clip: float,
) -> Float64[Tensor, "B T"]:
    """Give each state's value loss: half the squared error, with no reward for a step above `clip`.

    loss = ½ max((v - R)², (clip(v, v_old - ε, v_old + ε) - R)²). Where the clipped value is the worse one, the gradient
    is 0. On the boundary itself it is the unclipped one, v - R; where v is outside and both are equally wrong, one on
    either side of R, it is half of that. Gradients go to `values` only.

    Source: Schulman et al. 2017 (arXiv:1707.06347), equation 9 (squared error); Huang et al. 2022, The 37
    Implementation Details of Proximal Policy Optimization, detail 9 (the clip, as in the authors' code).
    Departs from it: half of the square, as in that code.

    Args:
        values: of the value head that trains.
        old_values: of the one at the time of the rollout.
        returns: what to predict, see `generalised_advantages`.
        clip: ε, finite and not negative, in the unit of values.
    Raises:
        ValueError: a value or return is not finite, or the clip is negative or not finite.

    Cost: O(B·T).

    >>> values, old_values, returns = torch.tensor([[[2.0]], [[0.0]], [[2.0]]], dtype=torch.float64)
    >>> value_losses(values, old_values, returns, clip=0.5).tolist()    # 2 is right, but 1.5 from what is allowed
    [[1.125]]
    """
    weight("clip", clip)
    for name, numbers in (("values", values), ("old_values", old_values), ("returns", returns)):
        finite(name, numbers)
    old, target = old_values.detach(), returns.detach()
    near = torch.clamp(values, old - clip, old + clip)  # (B, T)
    return 0.5 * torch.maximum((values - target).square(), (near - target).square())


@checked
def ppo_loss(
    policy: Float64[Tensor, "B T"],
    value: Float64[Tensor, "B T"],
    entropy: Float64[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    value_weight: float,
    entropy_weight: float,
) -> Float64[Tensor, ""]:
    """Put PPO's loss together, each part averaged over the real tokens: policy + c₁ · value - c₂ · entropy.

    Source: Schulman et al. 2017 (arXiv:1707.06347), equation 9, with the sign of a loss.

    Args:
        policy: `policy_losses`.
        value: `value_losses`.
        entropy: `entropies` of the distributions that the tokens were drawn from, under the policy that trains.
        mask: true at real tokens.
        value_weight: c₁, finite and not negative.
        entropy_weight: c₂, finite and not negative.
    Raises:
        ValueError: the mask is true nowhere, an entry that counts is not finite, or a weight is negative or not finite.

    Cost: O(B·T).

    >>> one, mask = torch.ones(1, 1, dtype=torch.float64), torch.tensor([[True]])
    >>> ppo_loss(one, one, one, mask, value_weight=0.5, entropy_weight=0.25).item()
    1.25
    """
    weight("value_weight", value_weight)
    weight("entropy_weight", entropy_weight)
    critic = value_weight * masked_mean(value, mask)
    return masked_mean(policy, mask) + critic - entropy_weight * masked_mean(entropy, mask)
