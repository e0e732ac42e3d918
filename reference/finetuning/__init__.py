"""Fine-tuning: all parameters, a linear head on a frozen model, LoRA, instructions, distillation, int8 weights.

Covers which parameters train and a plain loop over batches; probes, trained or in closed form; LoRA with merge and
unmerge; a chat format with the loss on the answers; Hinton's distillation loss; int8 quantisation by rows with its
error bounds. In float64. Not covered: optimisers and schedules (`reference.training`), reward models and preferences
(`reference.alignment`), other adapters, 4-bit formats. As functions of arrays: `reference.finetuning.functional`.

One letter per dimension, the same in every signature: B batch, T positions, V vocabulary, n rows or examples,
D features of an input, K classes or outputs, any `*rows` of leading dimensions.
"""

from reference.finetuning.adapters import add_lora, merge_lora
from reference.finetuning.distillation import distillation_loss
from reference.finetuning.full import fine_tune
from reference.finetuning.instruction import encode_messages, render
from reference.finetuning.lora import LoRALinear
from reference.finetuning.loss import answer_loss
from reference.finetuning.parameters import train_only
from reference.finetuning.probing import LinearProbe, least_squares_probe
from reference.finetuning.quantisation import dequantise, int8_linear, integer_product, product_error_bound, quantise

__all__ = [
    "LinearProbe",
    "LoRALinear",
    "add_lora",
    "answer_loss",
    "dequantise",
    "distillation_loss",
    "encode_messages",
    "fine_tune",
    "int8_linear",
    "integer_product",
    "least_squares_probe",
    "merge_lora",
    "product_error_bound",
    "quantise",
    "render",
    "train_only",
]
