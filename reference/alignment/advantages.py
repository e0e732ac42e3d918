"""What PPO learns from: a reward for every token, and how much better than expected it went. Not covered: sampling."""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from reference.checked import checked
from reference.values import finite, weight


@checked
def token_rewards(
    scores: Float64[Tensor, " B"],
    policy: Float64[Tensor, "B T"],
    reference: Float64[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    kl_weight: float,
) -> Float64[Tensor, "B T"]:
    """Give every token of a completion its reward: a penalty for leaving the reference, and at the end the score.

    reward[b, t] = -kl_weight · (log π(token) - log π_ref(token)) + scores[b] where t is the last marked token. The
    difference is one draw's estimate of the divergence from the reference ("k1": unbiased, may be negative). Tokens
    that are not marked get 0, whatever stands there. Rewards are numbers, not functions of the policy: no gradient.

    Source: Ziegler et al. 2019 (arXiv:1909.08593), equation 2; Ouyang et al. 2022 (arXiv:2203.02155), section 3.5;
    Schulman 2020, Approximating KL Divergence (joschu.net), for "k1".

    Args:
        scores: of whole completions, from the reward model.
        policy: log-probability of each token under the policy that drew it.
        reference: log-probability of each token under the reference.
        mask: true at the completion's tokens, its end token included.
        kl_weight: β, finite and not negative.
    Raises:
        ValueError: a row has no marked token, a score, marked log-probability or marked difference of two is not
            finite, or the weight is negative or not finite.

    Cost: O(B·T).

    >>> scores = torch.tensor([10.0], dtype=torch.float64)
    >>> policy, reference = torch.tensor([[[-1.0, -1.0, 0.0]], [[-1.0, -3.0, 0.0]]], dtype=torch.float64)
    >>> token_rewards(scores, policy, reference, torch.tensor([[True, True, False]]), kl_weight=0.5).tolist()
    [[0.0, 9.0, 0.0]]
    """
    weight("kl_weight", kl_weight)
    if not mask.any(dim=-1).all():
        raise ValueError("mask: expected a token of the completion in each row, got a row of none")
    finite("scores", scores)
    finite("policy", policy[mask])
    finite("reference", reference[mask])
    differences = policy - reference  # (B, T)
    finite("policy - reference", differences[mask])
    penalties = -kl_weight * differences  # (B, T)
    still_to_come = mask.flip(-1).cumsum(dim=-1).flip(-1)  # (B, T): marked tokens from here on
    is_last = mask & (still_to_come == 1)
    return (penalties + scores[:, None] * is_last).masked_fill(~mask, 0.0).detach()


@checked
def generalised_advantages(
    rewards: Float64[Tensor, "B T"],
    values: Float64[Tensor, "B T+1"],
    terminated: Bool[Tensor, "B T"],
    discount: float,
    smoothing: float,
) -> tuple[Float64[Tensor, "B T"], Float64[Tensor, "B T"]]:
    """Estimate how much better each action went than its state's value promised (GAE), and the return that it suggests.

    δ[t] = rewards[t] + γ · values[t+1] - values[t], and advantages[t] = δ[t] + γλ · advantages[t+1], from the last
    step to the first. Where `terminated`, nothing follows: both terms of t + 1 are left out, and what stands after
    that step belongs to another episode, or is padding. Where a row ends without termination it was only cut off, and
    its last value, values[T], stands for what was to come (bootstrapping). returns = advantages + values[:T].
    Both are targets: no gradient. T = 0: empty.

    λ = 0: one step, the smallest variance; λ = 1: the sum of discounted rewards, no bias from the values.
    For text: terminated at the end token, values[T] used only where generation stopped for length.

    Source: Schulman et al. 2015 (arXiv:1506.02438), equations 11 to 16.
    Departs from it: episodes end, or are cut off, where its sums have no end.

    Args:
        rewards: of the action at each step.
        values: of the state before each step, and of the one after the last.
        terminated: whether the episode ended with this step.
        discount: γ, from 0 to 1.
        smoothing: λ, from 0 to 1.
    Returns:
        Advantages and returns.
    Raises:
        ValueError: a reward or value is not finite, or γ or λ is out of range.

    Cost: O(B·T).

    >>> rewards, values = torch.tensor([[1.0, 1.0]], dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    >>> ended = torch.tensor([[False, True]])
    >>> generalised_advantages(rewards, values + 5, ended, discount=1.0, smoothing=1.0)[0].tolist()  # 2 - 5, 1 - 5
    [[-3.0, -4.0]]
    >>> generalised_advantages(rewards, values + 5, ~ended & ended, discount=1.0, smoothing=1.0)[0].tolist()
    [[2.0, 1.0]]
    """
    _require_share("discount", discount)
    _require_share("smoothing", smoothing)
    finite("rewards", rewards)
    finite("values", values)
    rewards, values = rewards.detach(), values.detach()
    goes_on = (~terminated).to(torch.float64)  # (B, T)
    errors = rewards + discount * values[:, 1:] * goes_on - values[:, :-1]  # (B, T)
    following = torch.zeros_like(values[:, 0])  # (B,)
    advantages = torch.zeros_like(rewards)
    for step in reversed(range(rewards.shape[1])):
        weights = discount * smoothing * goes_on[:, step]  # (B,)
        following = errors[:, step] + torch.where(weights > 0, weights * following, 0.0)  # 0 times an overflow, too
        advantages[:, step] = following
    return advantages, advantages + values[:, :-1]


def _require_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {value}")
