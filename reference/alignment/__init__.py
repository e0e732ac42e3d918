"""Alignment: learning from preferences. A reward model, DPO, and PPO with GAE and a penalty for leaving the reference.

Covers log-probabilities of completions; the Bradley–Terry loss of pairs and a reward model; DPO with label smoothing
and without a reference; per-token rewards, advantages, the clipped objective of policy and value, the entropy bonus.
In float64; the caller samples, steps and repeats. Not covered: generation (`reference.sampling`), optimisers
(`reference.training`), Elo and Bradley–Terry rankings (`reference.evaluation`), other preference losses.

One letter per dimension, the same in every signature: B batch of pairs or completions, T token positions, V vocabulary,
any `*shape`.
"""

from reference.alignment.advantages import generalised_advantages, token_rewards
from reference.alignment.averages import masked_mean, whiten
from reference.alignment.dpo import dpo_losses, implicit_rewards
from reference.alignment.logprobs import entropies, sequence_logprobs, token_logprobs
from reference.alignment.ppo import policy_losses, ppo_loss, value_losses
from reference.alignment.preferences import log_sigmoid, pairwise_losses, preference_accuracy
from reference.alignment.reward_model import RewardModel

__all__ = [
    "RewardModel",
    "dpo_losses",
    "entropies",
    "generalised_advantages",
    "implicit_rewards",
    "log_sigmoid",
    "masked_mean",
    "pairwise_losses",
    "policy_losses",
    "ppo_loss",
    "preference_accuracy",
    "sequence_logprobs",
    "token_logprobs",
    "token_rewards",
    "value_losses",
    "whiten",
]
