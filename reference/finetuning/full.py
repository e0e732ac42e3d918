"""Fine-tuning as a loop: one step of a given optimiser for each batch. Not covered: optimisers, schedules, clipping."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from jaxtyping import Float64
from torch import Tensor, nn
from torch.optim import Optimizer

from reference.checked import checked
from reference.values import finite

Batch = TypeVar("Batch")


@checked
def fine_tune(
    model: nn.Module,
    batches: Iterable[Batch],
    loss_of: Callable[[nn.Module, Batch], Float64[Tensor, ""]],
    optimizer: Optimizer,
) -> list[float]:
    """Take one step of the optimiser for each batch, in the order in which they come.

    For each batch: clear the gradients, loss = loss_of(model, batch), gradients by backpropagation, step. What trains
    is what `train_only` or an adapter has left trainable and the optimiser holds; everything else keeps its bits. The
    model's mode (training or evaluation) is the caller's, and so are epochs: repeat the batches. No batch: no step.

    Source: Howard and Ruder 2018 (arXiv:1801.06146), section 3.2 (fine-tuning on the target task).
    Departs from it: any model and loss; the learning rates are the optimiser's business.

    Args:
        model: changed in place.
        batches: anything that `loss_of` understands.
        loss_of: the scalar to make smaller, on one batch.
        optimizer: holds the parameters that train.
    Returns:
        Each batch's loss before its step.
    Raises:
        ValueError: a loss is NaN or infinite; the steps before it have been taken, its own has not.

    Cost: one forward and one backward pass a batch.

    >>> import torch
    >>> model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    >>> _ = nn.init.ones_(model.weight)
    >>> x = torch.ones(1, 1, dtype=torch.float64)
    >>> fine_tune(model, [x, x], lambda model, x: model(x).square().sum(), torch.optim.SGD(model.parameters(), lr=0.25))
    [1.0, 0.25]
    >>> model.weight.item()
    0.25
    """
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        finite("loss_of(model, batch)", loss.detach())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return losses
