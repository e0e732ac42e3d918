"""What stands between two projections of a feed-forward layer: GELU, exact and by tanh, and the gate of SwiGLU.

Covers values and gradients over all finite float64, without cancellation. Not covered: ReLU, which torch has, and
trainable activations.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import functional

from reference.checked import checked
from reference.values import finite

SATURATED = 100.0  # beyond it the gate of `gelu_tanh` is exactly 0 or 1, and the cube in it would overflow in the end


@checked
def gelu(x: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
    """Weigh each input by the probability that a standard normal variable is below it.

    gelu(x) = x Φ(x) = x/2 · erfc(-x/√2). Written with erfc, so that small values left of 0 keep all their digits.
    gelu(0) = 0. Empty input: empty.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.

    Args:
        x: any finite values.
    Raises:
        ValueError: an entry is NaN or infinite.

    Cost: O(n).

    >>> gelu(torch.tensor([-10.0, 0.0, 1.0], dtype=torch.float64)).numpy().round(25)
    array([-7.62000000e-23,  0.00000000e+00,  8.41344746e-01])
    """
    finite("x", x)
    return 0.5 * x * torch.erfc(-x / math.sqrt(2))


@checked
def gelu_tanh(x: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
    """Approximate GELU by a hyperbolic tangent, as GPT-2 does.

    gelu_tanh(x) = x/2 · (1 + tanh u) = x σ(2u), with u = √(2/π) · (x + 0.044715 x³) and σ(a) = 1 / (1 + e^-a). The form
    with σ keeps all digits left of 0. Within 5e-4 of `gelu` everywhere. Empty input: empty.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2 (approximation by tanh).

    Args:
        x: any finite values.
    Raises:
        ValueError: an entry is NaN or infinite.

    Cost: O(n).

    >>> gelu_tanh(torch.tensor([-1e300, 0.0, 1.0, 1e300], dtype=torch.float64)).numpy().round(4)
    array([-0.000e+000,  0.000e+000,  8.412e-001,  1.000e+300])
    """
    finite("x", x)
    bounded = x.clamp(-SATURATED, SATURATED)
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (bounded + 0.044715 * bounded**3))


@checked
def swiglu(gate: Float64[Tensor, "*n"], up: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
    """Let one projection open and close another.

    swiglu(gate, up) = gate σ(gate) · up, entry by entry, with σ(a) = 1 / (1 + e^-a). In a feed-forward layer
    gate = x W, up = x V, and the result is projected back. Empty input: empty.

    Source: Shazeer 2020 (arXiv:2002.05202), equation 5, with β = 1.

    Args:
        gate: what passes the sigmoid.
        up: what is let through.
    Raises:
        ValueError: an entry is NaN or infinite.

    Cost: O(n).

    >>> gate, up = (torch.tensor(row, dtype=torch.float64) for row in ([-1e300, 0.0, 1e300], [2.0, 2.0, 2.0]))
    >>> swiglu(gate, up).tolist()
    [-0.0, 0.0, 2e+300]
    """
    finite("gate", gate)
    finite("up", up)
    # torch's gate σ(gate): the gradient of the formula's steps is gate · up, which may overflow, times a slope of 0
    return functional.silu(gate) * up
