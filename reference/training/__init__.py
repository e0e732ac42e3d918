"""Training a language model: loss, batches, masked words, AdamW, schedule, clipping, and runs that resume bit for bit.

Covers what one machine needs, in float64. Not covered: dropout, gradient accumulation, mixed precision, several
machines.

One letter per dimension, the same in every signature: B batch, T positions, V vocabulary, N counted positions or
entries, n any length.
"""

from reference.training.adamw import AdamW
from reference.training.batching import evaluation_windows, pad, random_windows
from reference.training.checkpoint import load_checkpoint, save_checkpoint
from reference.training.clipping import clip_gradients
from reference.training.corruption import corrupt
from reference.training.loss import IGNORED, cross_entropy
from reference.training.order import DataOrder
from reference.training.run import TrainingRun
from reference.training.schedule import cosine_with_warmup
from reference.training.step import Step, train_step

__all__ = [
    "IGNORED",
    "AdamW",
    "DataOrder",
    "Step",
    "TrainingRun",
    "clip_gradients",
    "corrupt",
    "cosine_with_warmup",
    "cross_entropy",
    "evaluation_windows",
    "load_checkpoint",
    "pad",
    "random_windows",
    "save_checkpoint",
    "train_step",
]
