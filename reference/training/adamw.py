"""AdamW with its own state. Not covered: amsgrad, fused speed, groups of parameters (use one optimiser each)."""

import sys
from collections.abc import Iterable

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from reference import values
from reference.checked import checked
from reference.training.state import State, join, require_form


class AdamW:
    """Adam with weight decay that is decoupled from the gradient.

    At step t of a parameter θ with gradient g, learning rate η, and m = v = 0 at first:
    m ← β₁m + (1 - β₁)g, v ← β₂v + (1 - β₂)g², θ ← (1 - ηλ)θ - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ) and
    v̂ = v / (1 - β₂ᵗ). A parameter without a gradient is left alone: neither decayed nor counted. A gradient of zero
    still decays its parameter.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2.
    Departs from it: the decay λ is multiplied by the whole learning rate, not by the schedule's share of it alone.

    Args:
        parameters: what is trained, changed in place; at least one.
        betas: β₁ and β₂, from 0 to below 1.
        eps: ε, above 0, since 0/0 would follow from a gradient of zero.
        weight_decay: λ, finite, 0 or more.
    Raises:
        ValueError: no parameter, one given twice, or a setting out of range.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    >>> weight.grad = torch.tensor([5.0], dtype=torch.float64)
    >>> AdamW([weight], weight_decay=0.0).step(0.25)                     # the first step has the size of the rate
    >>> round(weight.item(), 6)
    0.75
    """

    @checked
    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        betas: tuple[float | int, float | int] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | int = 0.01,
    ) -> None:
        self.parameters = list(parameters)
        if not self.parameters or len({id(parameter) for parameter in self.parameters}) < len(self.parameters):
            raise ValueError(f"parameters: expected one or more, each once, got {len(self.parameters)}")
        if not (0 <= betas[0] < 1 and 0 <= betas[1] < 1):
            raise ValueError(f"betas: expected two numbers from 0 to below 1, got {betas}")
        if not eps > 0:
            raise ValueError(f"eps: expected a number above 0, got {eps}")
        _require_finite("weight_decay", weight_decay)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self._first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._second = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._steps = [torch.zeros((), dtype=torch.int64, device="cpu") for _ in self.parameters]

    @checked
    @torch.no_grad()
    def step(self, rate: float | int) -> None:
        """Move every parameter that has a gradient.

        Args:
            rate: η, finite, 0 or more; 0 only updates m, v and t.
        Raises:
            ValueError: `rate` is out of range, or a gradient, or its square, is not finite; nothing has changed then.

        Cost: O(N) for N parameters' entries.

        >>> weight = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        >>> weight.grad = torch.zeros_like(weight)
        >>> AdamW([weight], weight_decay=0.5).step(0.1)                   # (1 - 0.1 · 0.5) · 2
        >>> weight.item()
        1.9
        """
        _require_finite("rate", rate)
        for number, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                values.finite(f"square of the gradient of parameter {number}", parameter.grad.square())
        for number, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self._move(number, parameter, parameter.grad, float(rate))

    def _move(self, number: int, parameter: nn.Parameter, gradient: Tensor, rate: float) -> None:
        first, second = self._first[number], self._second[number]
        self._steps[number] += 1
        t = int(self._steps[number])
        first.mul_(self.betas[0]).add_((1 - self.betas[0]) * gradient)
        second.mul_(self.betas[1]).add_((1 - self.betas[1]) * gradient.square())
        direction = (first / (1 - self.betas[0] ** t)) / ((second / (1 - self.betas[1] ** t)).sqrt() + self.eps)
        parameter.mul_(1 - rate * self.weight_decay).sub_(rate * direction)

    @checked
    def zero_gradients(self) -> None:
        """Forget all gradients: they are None afterwards.

        Raises:
            TypeError: a wrong type or shape.

        Cost: O(P) for P parameters.

        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> weight.grad = torch.ones(1)
        >>> AdamW([weight]).zero_gradients()
        >>> print(weight.grad)
        None
        """
        for parameter in self.parameters:
            parameter.grad = None

    @checked
    def state(self) -> dict[str, Shaped[Tensor, "..."]]:
        """What the next step depends on beside parameters, gradients and settings: copies of m, v and t.

        Raises:
            TypeError: a wrong type or shape.

        Cost: O(N) for N parameters' entries.

        >>> sorted(AdamW([torch.nn.Parameter(torch.ones(1))]).state())
        ['first.0', 'second.0', 'steps.0']
        """
        return {name: tensor.clone() for name, tensor in self._own().items()}

    @checked
    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Go on where `state` was taken.

        Args:
            state: of an optimiser over parameters of the same shapes in the same order; settings are not part of it.
        Raises:
            ValueError: other entries or shapes; nothing has changed then.

        Cost: O(N) for N parameters' entries.

        >>> optimizer = AdamW([torch.nn.Parameter(torch.ones(1))])
        >>> optimizer.restore(optimizer.state())
        """
        require_form(state, self._own())
        for name, own in self._own().items():
            own.copy_(state[name])

    def _own(self) -> dict[str, Tensor]:
        parts = {"first": self._first, "second": self._second, "steps": self._steps}
        return join({part: {str(number): tensor for number, tensor in enumerate(of)} for part, of in parts.items()})


def _require_finite(name: str, value: float) -> None:
    values.at_least(name, value, 0)
    if value > sys.float_info.max:  # infinite, or an integer beyond float64
        raise ValueError(f"{name}: expected a finite number within float64, got {value}")
