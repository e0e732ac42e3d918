"""Adapting a model, as functions of arrays: what an assignment asks for, without modules, optimisers and generators.

Covers which tokens of a conversation are learned and their loss, a probe in closed form, LoRA on one weight from its
start to its merge, distillation, and the losses of preferences. What other files of the oracle have in this form
already is offered under its own name. In float64. Not covered: whole models and other optimisers
(`reference.finetuning`, `reference.training`), reward models and PPO (`reference.alignment`).

One letter per dimension, the same in every signature: B batch, T positions, V vocabulary, n rows or examples,
D features of an input, K outputs, r rank, any `*rows` of leading dimensions.
"""

from reference.alignment import pairwise_losses, sequence_logprobs
from reference.finetuning.distillation import distillation_loss
from reference.finetuning.functional.conversation import answer_mask
from reference.finetuning.functional.descent import train_lora
from reference.finetuning.functional.low_rank import lora_forward, lora_merge, lora_parameters, lora_start
from reference.finetuning.functional.preferences import dpo_loss
from reference.finetuning.loss import answer_loss
from reference.finetuning.probing import least_squares_probe

__all__ = [
    "answer_loss",
    "answer_mask",
    "distillation_loss",
    "dpo_loss",
    "least_squares_probe",
    "lora_forward",
    "lora_merge",
    "lora_parameters",
    "lora_start",
    "pairwise_losses",
    "sequence_logprobs",
    "train_lora",
]
