"""Weights as 8-bit integers, one scale a row, with error bounds. Not covered: zero points, 4 bits, outliers.

Rounding is to the nearest integer, halves to the even one. Bounds hold up to float64's own rounding, which is below a
share of 2⁻⁴⁵ of them.
"""

import torch
from jaxtyping import Float64, Int8
from torch import Tensor

from reference.checked import checked
from reference.values import finite

LARGEST = 127  # -128 stays unused, so that the range is symmetric


@checked
def quantise(weights: Float64[Tensor, "K D"]) -> tuple[Int8[Tensor, "K D"], Float64[Tensor, " K"]]:
    """Write each row as integers from -127 to 127 times the row's scale.

    scale[k] = max over d of |w[k, d]| / 127, q[k, d] = round(w[k, d] / scale[k]), halves to even.
    Error: |w - scale · q| <= scale / 2 for every weight, see `product_error_bound` for products.
    Rows of zeros: q = 0, scale = 1. So are rows whose scale would be below 2⁻¹⁰²², the smallest normal float64, where a
    quotient by the scale is no longer exact to float64's precision. No row: empty; rows of no columns: scale 1.

    Source: Dettmers et al. 2022 (arXiv:2208.07339), sections 2 (absmax quantisation) and 3.1 (a scale a row).

    Args:
        weights: as in `nn.Linear`: one row an output.
    Returns:
        Integers and scales.
    Raises:
        ValueError: a weight is NaN or infinite.

    Cost: O(K·D).

    >>> integers, scales = quantise(torch.tensor([[2.54, -1.27, 0.01], [0.0, 0.0, 0.0]], dtype=torch.float64))
    >>> integers.tolist()                                              # 0.01 is half a step: to the even 0
    [[127, -64, 0], [0, 0, 0]]
    >>> scales.tolist()
    [0.02, 1.0]
    """
    finite("weights", weights)
    largest = weights.abs().amax(dim=-1) if weights.shape[-1] else weights.sum(dim=-1)  # (K,)
    scales = largest / LARGEST
    negligible = scales < torch.finfo(torch.float64).smallest_normal
    scales = scales.masked_fill(negligible, 1.0)
    return torch.round(weights / scales[:, None]).to(torch.int8), scales


@checked
def dequantise(integers: Int8[Tensor, "K D"], scales: Float64[Tensor, " K"]) -> Float64[Tensor, "K D"]:
    """Turn integers back into weights: w[k, d] = scale[k] · q[k, d].

    Source: Dettmers et al. 2022 (arXiv:2208.07339), section 2.

    Args:
        integers: from -127 to 127.
        scales: one a row, above 0.
    Raises:
        ValueError: an integer is -128, or a scale is not finite or not above 0.

    Cost: O(K·D).

    >>> dequantise(torch.tensor([[2, -1]], dtype=torch.int8), torch.tensor([0.5], dtype=torch.float64)).tolist()
    [[1.0, -0.5]]
    """
    _require_quantised(integers, scales)
    return integers * scales[:, None]


@checked
def int8_linear(
    x: Float64[Tensor, "n D"], integers: Int8[Tensor, "K D"], scales: Float64[Tensor, " K"]
) -> Float64[Tensor, "n K"]:
    """Multiply by quantised weights: y = x Wᵀ with W = scale · q, the scale applied once an output.

    Source: Dettmers et al. 2022 (arXiv:2208.07339), section 3.1 (a scale an output).
    Departs from it: only the weights are integers.

    Args:
        x: one input a row.
        integers: from -127 to 127.
        scales: one an output, above 0.
    Raises:
        ValueError: x is not finite, an integer is -128, or a scale is not finite or not above 0.

    Cost: O(n·K·D) time.

    >>> x = torch.tensor([[1.0, 10.0]], dtype=torch.float64)
    >>> int8_linear(x, torch.tensor([[2, -1]], dtype=torch.int8), torch.tensor([0.5], dtype=torch.float64)).tolist()
    [[-4.0]]
    """
    finite("x", x)
    _require_quantised(integers, scales)
    return (x @ integers.to(torch.float64).T) * scales


@checked
def product_error_bound(x: Float64[Tensor, "n D"], scales: Float64[Tensor, " K"]) -> Float64[Tensor, "n K"]:
    """Bound what quantised weights change in a product: |x Wᵀ - x Ŵᵀ| <= scale[k] / 2 · Σ over d of |x[n, d]|.

    Each weight is off by at most scale / 2, and the errors add up at worst. It is reached: by weights that lie half a
    step off, each with the sign of its input.

    Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.5 (componentwise bound of a product).
    Departs from it: the errors are those of the weights, not of the arithmetic.

    Args:
        x: one input a row.
        scales: as `quantise` returns them; bounds hold for a row of zeros, too.
    Raises:
        ValueError: x is not finite, or a scale is not finite or not above 0.

    Cost: O(n·(D + K)).

    >>> x, scales = torch.tensor([[1.0, -3.0]], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    >>> product_error_bound(x, scales).tolist()
    [[1.0]]
    """
    finite("x", x)
    _require_scales(scales)
    return x.abs().sum(dim=-1)[:, None] * (scales / 2)  # (n, 1) · (K,): (n, K)


@checked
def integer_product(x: Int8[Tensor, "n D"], weights: Int8[Tensor, "K D"]) -> Float64[Tensor, "n K"]:
    """Multiply quantised inputs by quantised weights, exactly: x Wᵀ in whole numbers.

    With inputs quantised by rows, too, entry [n, k] times the scales of row n and of output k is the product of the
    dequantised ones. The sums are kept in float64, which is exact for whole numbers up to 2⁵³: 5·10¹¹ columns of
    127 · 127. 32-bit sums would be exact up to 133,144 columns. D = 0: zeros.

    Source: Jacob et al. 2018 (arXiv:1712.05877), section 2.2.
    Departs from it: no zero points; sums in float64, which every device multiplies.

    Args:
        x: one input a row, from -127 to 127.
        weights: one output a row, from -127 to 127.
    Raises:
        ValueError: an integer is -128.

    Cost: O(n·K·D) time.

    >>> integer_product(torch.tensor([[2, 3]], dtype=torch.int8), torch.tensor([[10, -1]], dtype=torch.int8)).tolist()
    [[17.0]]
    """
    _require_symmetric("x", x)
    _require_symmetric("weights", weights)
    return x.to(torch.float64) @ weights.to(torch.float64).T


def _require_quantised(integers: Int8[Tensor, "K D"], scales: Float64[Tensor, " K"]) -> None:
    _require_symmetric("integers", integers)
    _require_scales(scales)


def _require_symmetric(name: str, integers: Int8[Tensor, "*rows D"]) -> None:
    if (integers < -LARGEST).any():
        raise ValueError(f"{name}: expected integers from -{LARGEST} to {LARGEST}, got {integers.min().item()}")


def _require_scales(scales: Float64[Tensor, " K"]) -> None:
    finite("scales", scales)
    if not (scales > 0).all():
        raise ValueError(f"scales: expected numbers above 0, got {scales.min().item()}")
