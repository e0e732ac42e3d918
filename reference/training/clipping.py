"""Gradient clipping by the norm over all parameters together. Not covered: clipping by value or by parameter."""

import math
import sys
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from reference import values
from reference.checked import checked


@checked
@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float | int) -> float:
    """Shorten the gradient, all parameters' together, to `max_norm` where it is longer.

    ‖g‖ = √(Σ g²) over all entries of all gradients; where ‖g‖ > max_norm: g ← g · max_norm / ‖g‖, in place. A gradient
    of length zero, or of just `max_norm`, stays as it is. Parameters without a gradient do not count; with none at all
    the norm is 0. A gradient that is met twice counts once. The largest entry is divided out before squaring, so that
    no square overflows.

    Source: Pascanu, Mikolov and Bengio 2013 (arXiv:1211.5063), algorithm 1.

    Args:
        parameters: whose `grad` is shortened.
        max_norm: above 0; infinite: only measure.
    Returns:
        The norm before clipping.
    Raises:
        ValueError: `max_norm` is not above 0, or an entry, or the norm itself, is NaN or infinite; no gradient has
            changed then.

    Cost: O(N) for N entries.

    >>> weight = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    >>> weight.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    >>> clip_gradients([weight], max_norm=2.5), weight.grad.tolist()
    (5.0, [1.5, 2.0])
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm: expected a number above 0, got {max_norm}")
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    gradients = list({id(gradient): gradient for gradient in found}.values())
    for gradient in gradients:
        values.finite("gradient", gradient)
    peak = max((float(gradient.abs().max()) for gradient in gradients if gradient.numel()), default=0.0)
    if peak == 0:
        return 0.0
    norm = peak * math.sqrt(sum(float((gradient / peak).square().sum()) for gradient in gradients))
    values.finite("norm of the gradient", torch.tensor(norm, device="cpu", dtype=torch.float64))
    if norm > max_norm:
        for gradient in gradients:
            _shorten(gradient, max_norm, norm)
    return norm


def _shorten(gradient: Tensor, max_norm: float, norm: float) -> None:
    factor = max_norm / norm
    if factor < sys.float_info.min:  # too small for full precision, perhaps 0, though the product need not be
        gradient.div_(norm).mul_(max_norm)
    else:
        gradient.mul_(factor)
