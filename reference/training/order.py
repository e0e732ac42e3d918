"""Which examples each step sees: epochs in a drawn order, that a checkpoint can hold.

Not covered: sampling with replacement, sharding over several machines.
"""

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from reference import values
from reference.checked import checked
from reference.training.state import State, require_form


class DataOrder:
    """Batches of example numbers: each epoch visits all N once, in an order drawn when the epoch begins.

    An epoch's last batch holds what is left, so it may be smaller; a batch never spans two epochs. The order is drawn
    from `generator` at the first batch of the epoch and nothing else is: whatever else a run draws (corruption, say)
    may draw from the same generator, whose state belongs to this object's state.

    Source: Bottou 2012, Stochastic Gradient Descent Tricks (shuffle the examples).

    Args:
        n_examples: N, 1 or more.
        batch_size: B, 1 or more.
        generator: the one source of randomness.
    Raises:
        ValueError: `n_examples` or `batch_size` is below 1.

    >>> order = DataOrder(5, batch_size=2, generator=torch.Generator().manual_seed(0))
    >>> epoch = [order.next_batch().tolist() for _ in range(3)]
    >>> [len(batch) for batch in epoch], sorted(sum(epoch, []))
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    @checked
    def __init__(self, n_examples: int, batch_size: int, generator: torch.Generator) -> None:
        values.at_least("n_examples", n_examples, 1)
        values.at_least("batch_size", batch_size, 1)
        self.n_examples, self.batch_size, self.generator = n_examples, batch_size, generator
        self._order = torch.arange(n_examples, device=generator.device)
        self._position = n_examples  # nothing is left: the first batch draws an order

    @checked
    def next_batch(self) -> Int64[Tensor, " b"]:
        """Numbers of the next examples, from 0 to N - 1; b = B, or less at the end of an epoch.

        Raises:
            TypeError: a wrong type or shape.

        Cost: O(B); at the start of an epoch O(N).

        >>> DataOrder(1, batch_size=8, generator=torch.Generator()).next_batch()
        tensor([0])
        """
        if self._position >= self.n_examples:
            self._order = torch.randperm(self.n_examples, generator=self.generator, device=self.generator.device)
            self._position = 0
        batch = self._order[self._position : self._position + self.batch_size]
        self._position += len(batch)
        return batch.clone()

    @checked
    def state(self) -> dict[str, Shaped[Tensor, "..."]]:
        """What the future depends on: the epoch's order, the position in it, and the generator's state.

        Raises:
            TypeError: a wrong type or shape.

        Cost: O(N).

        >>> sorted(DataOrder(2, batch_size=1, generator=torch.Generator()).state())
        ['generator', 'order', 'position']
        """
        position = torch.tensor(self._position, device="cpu")
        return {"generator": self.generator.get_state(), "order": self._order.clone(), "position": position}

    @checked
    def restore(self, state: State) -> None:
        """Go on where `state` was taken, the generator included; whoever else draws from it goes on likewise.

        Args:
            state: of an order over as many examples; the batch size may differ.
        Raises:
            ValueError: other entries or shapes, no order of N examples, or no generator's state; nothing has changed
                then.

        Cost: O(N log N).

        >>> order = DataOrder(3, batch_size=1, generator=torch.Generator().manual_seed(0))
        >>> state = order.state()
        >>> first = [order.next_batch().item() for _ in range(3)]
        >>> order.restore(state)
        >>> first == [order.next_batch().item() for _ in range(3)]
        True
        """
        self._require(state)
        try:
            self.generator.set_state(state["generator"].cpu().contiguous())
        except RuntimeError as error:
            raise ValueError("generator: expected the state of one, got other bytes") from error
        self._order = state["order"].to(self.generator.device, copy=True)
        self._position = int(state["position"])

    def _require(self, state: State) -> None:
        require_form(state, self.state())
        if sorted(state["order"].tolist()) != list(range(self.n_examples)):
            raise ValueError(f"order: expected every example from 0 to {self.n_examples - 1} once, got others")
        if not 0 <= int(state["position"]) <= self.n_examples:
            raise ValueError(f"position: expected 0 to {self.n_examples}, got {int(state['position'])}")
