"""One training step: loss, gradients, clipping, update. Not covered: gradient accumulation, mixed precision."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.training.adamw import AdamW
from reference.training.clipping import clip_gradients
from reference.training.loss import cross_entropy

Model = Callable[[Int64[Tensor, "B T"]], Float64[Tensor, "B T V"]]


@dataclass(frozen=True)
class Step:
    """What a training step measured, before it changed anything.

    Source: Goodfellow, Bengio and Courville 2016, Deep Learning, section 8.1.3 (minibatch steps).

    >>> Step(loss=0.5, gradient_norm=2.0).loss
    0.5
    """

    loss: float  # mean over the counted targets, in nats
    gradient_norm: float  # over all parameters, before clipping


@checked
def train_step(
    model: Model,
    optimizer: AdamW,
    *,
    inputs: Int64[Tensor, "B T"],
    targets: Int64[Tensor, "B T"],
    rate: float | int,
    max_norm: float | int,
) -> Step:
    """Change the optimiser's parameters once, against the gradient of the loss on one batch.

    In order: gradients are forgotten; loss = cross_entropy(model(inputs), targets), targets of -100 not counted; its
    gradient is clipped to `max_norm`; the optimiser steps at `rate`. The gradients stay for whoever wants to look.

    Source: Goodfellow, Bengio and Courville 2016, Deep Learning, algorithm 8.1 (stochastic gradient descent).
    Departs from it: the update is AdamW's.

    Args:
        model: turns ids into logits; its parameters are those of `optimizer`.
        optimizer: what is trained, and how.
        inputs: one batch.
        targets: the token that each position should predict.
        rate: learning rate of this step.
        max_norm: see `clip_gradients`.
    Returns:
        Loss and gradient norm, from before the update.
    Raises:
        ValueError: as `cross_entropy`, `clip_gradients` and `AdamW.step`; no parameter has changed then.

    Cost: one pass forward and backward through the model.

    >>> table = torch.nn.Embedding(2, 2, dtype=torch.float64)          # a bigram model
    >>> ids = torch.tensor([[0, 1, 0]])
    >>> parameters = AdamW(table.parameters())
    >>> step = lambda: train_step(table, parameters, inputs=ids[:, :-1], targets=ids[:, 1:], rate=0.1, max_norm=1)
    >>> step().loss > step().loss
    True
    """
    optimizer.zero_gradients()
    loss = cross_entropy(_logits(model, inputs), targets)
    torch.autograd.backward(loss)
    norm = clip_gradients(optimizer.parameters, max_norm)
    optimizer.step(rate)
    return Step(loss=loss.item(), gradient_norm=norm)


@checked
def _logits(model: Model, inputs: Int64[Tensor, "B T"]) -> Float64[Tensor, "B T V"]:
    """Hold what the model gives to its shape."""
    return model(inputs)
