"""A training run that can be interrupted after any step and continued to the last bit.

Not covered: evaluation on the way, early stopping, models that draw from torch's global generator (dropout).
"""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from reference import values
from reference.checked import checked
from reference.training.adamw import AdamW
from reference.training.checkpoint import load_checkpoint, save_checkpoint
from reference.training.order import DataOrder
from reference.training.state import State, join, part_of, require_form
from reference.training.step import Step, train_step

Batch = Callable[[Int64[Tensor, " B"]], tuple[Int64[Tensor, "B T"], Int64[Tensor, "B T"]]]


class TrainingRun:
    """Steps over batches, in the data order, at the schedule's rate; saved and loaded between steps.

    A step takes the next example numbers from `order`, lets `batch` make inputs and targets of them, and calls
    `train_step` at `rate(steps done so far)`. What a step does depends only on the model's parameters and buffers,
    the optimiser's state, the order with its generator, and the number of steps done; a checkpoint holds just these, so
    a run that is continued equals one that never stopped, bit for bit. `batch` may draw, from the order's generator.

    Source: Goodfellow, Bengio and Courville 2016, Deep Learning, algorithm 8.1.
    Departs from it: examples come by epochs; a run is saved and continued.

    Args:
        model: ids to logits; parameters and buffers are what is saved of it.
        optimizer: over the model's parameters.
        order: which examples come when.
        batch: from example numbers to inputs and targets.
        rate: learning rate, a pure function of the step, counted from 0.
        max_norm: see `clip_gradients`; by default gradients are not clipped.

    >>> table = torch.nn.Embedding(3, 3, dtype=torch.float64)
    >>> ids = torch.tensor([[0, 1, 2], [1, 2, 0]])
    >>> order = DataOrder(2, batch_size=1, generator=torch.Generator())
    >>> run = TrainingRun(
    ...     table, AdamW(table.parameters()), order, batch=lambda i: (ids[i, :-1], ids[i, 1:]), rate=lambda step: 0.1
    ... )
    >>> steps = run.advance(20)
    >>> steps[0].loss > steps[-1].loss, run.steps_done
    (True, 20)
    """

    @checked
    def __init__(
        self,
        model: nn.Module,
        optimizer: AdamW,
        order: DataOrder,
        *,
        batch: Batch,
        rate: Callable[[int], float],
        max_norm: float | int = math.inf,
    ) -> None:
        self.model, self.optimizer, self.order = model, optimizer, order
        self.batch, self.rate, self.max_norm = batch, rate, max_norm
        self.steps_done = 0

    @checked
    def advance(self, n_steps: int) -> list[Step]:
        """Take `n_steps` more steps and say what each measured.

        Args:
            n_steps: 0 or more.
        Raises:
            ValueError: `n_steps` is negative, or as `train_step`: the run then stands after the steps that it has done,
                except that the order has moved on.

        Cost: `n_steps` passes forward and backward.

        >>> table = torch.nn.Embedding(2, 2, dtype=torch.float64)
        >>> order = DataOrder(1, batch_size=1, generator=torch.Generator())
        >>> ids = torch.tensor([[0, 1]])
        >>> TrainingRun(table, AdamW(table.parameters()), order, batch=lambda i: (ids, ids), rate=abs).advance(0)
        []
        """
        values.at_least("n_steps", n_steps, 0)
        return [self._step() for _ in range(n_steps)]

    def _step(self) -> Step:
        inputs, targets = self.batch(self.order.next_batch())
        rate = self.rate(self.steps_done)
        taken = train_step(
            self.model, self.optimizer, inputs=inputs, targets=targets, rate=rate, max_norm=self.max_norm
        )
        self.steps_done += 1
        return taken

    @checked
    def save(self, path: Path) -> None:
        """Write all that the next step depends on to `path`, whole or not at all.

        Args:
            path: see `save_checkpoint`.
        Raises:
            OSError: as `save_checkpoint`.

        Cost: O(N) for N bytes of parameters.

        >>> import tempfile
        >>> table = torch.nn.Embedding(2, 2, dtype=torch.float64)
        >>> order = DataOrder(1, batch_size=1, generator=torch.Generator())
        >>> run = TrainingRun(table, AdamW(table.parameters()), order, batch=lambda i: (i, i), rate=abs)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run.save(Path(folder) / "last.pt")
        ...     run.load(Path(folder) / "last.pt")
        """
        save_checkpoint(path, self._state())

    @checked
    def load(self, path: Path) -> None:
        """Go on where the run that was saved to `path` stood.

        Args:
            path: written by `save`, from a run of the same model, optimiser and number of examples.
        Raises:
            ValueError: a torn file, or one of another model or order; nothing has changed then.
            OSError: there is no file at `path`, or it cannot be read.

        Cost: O(N) for N bytes of parameters.

        >>> import tempfile
        >>> table = torch.nn.Embedding(2, 2, dtype=torch.float64)
        >>> order = DataOrder(1, batch_size=1, generator=torch.Generator())
        >>> run = TrainingRun(table, AdamW(table.parameters()), order, batch=lambda i: (i, i), rate=abs)
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     run.load(Path(file.name))
        Traceback (most recent call last):
        ValueError: checkpoint: expected a whole file that save_checkpoint wrote, got one of 0 bytes without its digest
        """
        state = load_checkpoint(path)
        require_form(state, self._state())
        self.order.restore(part_of(state, "order"))  # first, since it also looks at values
        self.optimizer.restore(part_of(state, "optimizer"))
        self._load_model(part_of(state, "model"))
        self.steps_done = int(state["run.steps_done"])

    def _state(self) -> State:
        parts: dict[str, State] = {
            "model": dict(self.model.state_dict()) | self._transient(),
            "optimizer": self.optimizer.state(),
            "order": self.order.state(),
            "run": {"steps_done": torch.tensor(self.steps_done, device="cpu")},
        }
        return join(parts)

    def _transient(self) -> dict[str, Tensor]:
        """Buffers that `state_dict` leaves out (`persistent=False`), though a step may depend on them."""
        kept = self.model.state_dict().keys()
        return {name: buffer for name, buffer in self.model.named_buffers(remove_duplicate=False) if name not in kept}

    @torch.no_grad()
    def _load_model(self, state: dict[str, Tensor]) -> None:
        for name, buffer in self._transient().items():
            buffer.copy_(state.pop(name))
        self.model.load_state_dict(state)
