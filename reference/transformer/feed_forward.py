"""The feed-forward half of a block: each position by itself, widened, bent and narrowed again.

Covers the plain form with any activation and the gated one of Llama. Not covered: dropout, mixtures of experts.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from reference.checked import checked
from reference.transformer.activations import swiglu
from reference.transformer.initial import linear
from reference.values import at_least


class FeedForward(nn.Module):
    """Two projections with an activation between them.

    y = f(x W_up + b_up) W_down + b_down.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), equation 2, there with f = ReLU.

    Args:
        width: D, the model's.
        inner_width: F, between the projections.
        activation: f, entry by entry.
        generator: draws the weights; its device is where they are.
    Raises:
        ValueError: `width` or `inner_width` is below 1.

    >>> layer = FeedForward(2, 8, activation=torch.relu, generator=torch.Generator().manual_seed(0))
    >>> [tuple(weight.shape) for weight in layer.parameters()]
    [(8, 2), (8,), (2, 8), (2,)]
    """

    @checked
    def __init__(
        self, width: int, inner_width: int, *, activation: Callable[..., Tensor], generator: torch.Generator
    ) -> None:
        super().__init__()
        at_least("width", width, 1)
        at_least("inner_width", inner_width, 1)
        self.width, self.activation = width, activation
        self.up_proj = linear(width, inner_width, bias=True, generator=generator)
        self.down_proj = linear(inner_width, width, bias=True, generator=generator)

    @checked
    def forward(self, x: Float64[Tensor, "*B {self.width}"]) -> Float64[Tensor, "*B {self.width}"]:
        """Send each position through both projections.

        Args:
            x: one vector of width D a position; none: empty.
        Raises:
            ValueError: the activation refuses a value, as `gelu` does NaN.

        Cost: O(B·D·F).

        >>> layer = FeedForward(2, 8, activation=torch.relu, generator=torch.Generator().manual_seed(0))
        >>> layer(torch.zeros(1, 2, dtype=torch.float64)).tolist()                # nothing in, the biases out: 0
        [[0.0, 0.0]]
        """
        return self.down_proj(self.activation(self.up_proj(x)))  # type: ignore[no-any-return]


class GatedFeedForward(nn.Module):
    """Two projections side by side, one gating the other by SwiGLU, and one back; no biases.

    y = swiglu(x W_gate, x W_up) W_down.

    Source: Shazeer 2020 (arXiv:2002.05202), equation 6 (FFN_SwiGLU).

    Args:
        width: D, the model's.
        inner_width: F, between the projections.
        generator: draws the weights; its device is where they are.
    Raises:
        ValueError: `width` or `inner_width` is below 1.

    >>> layer = GatedFeedForward(2, 8, generator=torch.Generator().manual_seed(0))
    >>> [name for name, _ in layer.named_parameters()]
    ['gate_proj.weight', 'up_proj.weight', 'down_proj.weight']
    """

    @checked
    def __init__(self, width: int, inner_width: int, *, generator: torch.Generator) -> None:
        super().__init__()
        at_least("width", width, 1)
        at_least("inner_width", inner_width, 1)
        self.width = width
        self.gate_proj = linear(width, inner_width, bias=False, generator=generator)
        self.up_proj = linear(width, inner_width, bias=False, generator=generator)
        self.down_proj = linear(inner_width, width, bias=False, generator=generator)

    @checked
    def forward(self, x: Float64[Tensor, "*B {self.width}"]) -> Float64[Tensor, "*B {self.width}"]:
        """Send each position through the gate and back.

        Args:
            x: one vector of width D a position; none: empty.
        Raises:
            ValueError: a projection is not finite.

        Cost: O(B·D·F).

        >>> layer = GatedFeedForward(2, 8, generator=torch.Generator().manual_seed(0))
        >>> layer(torch.zeros(1, 2, dtype=torch.float64)).tolist()
        [[0.0, 0.0]]
        """
        return self.down_proj(swiglu(self.gate_proj(x), self.up_proj(x)))  # type: ignore[no-any-return]
