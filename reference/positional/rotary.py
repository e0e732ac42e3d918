"""Rotary positions: queries and keys are turned by their position, so that scores depend on distance alone.

Covers both ways to pair the columns. Not covered: stretched frequencies (linear, NTK, YaRN, Llama 3.1), rotation of
only some of the columns.
"""

import sys

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import finite


@checked
def rotary(
    x: Float64[Tensor, "*B T d"],
    positions: Int64[Tensor, " T"],
    *,
    base: float | int = 10000.0,
    adjacent: bool = False,
) -> Float64[Tensor, "*B T d"]:
    """Turn each pair of columns of each row by an angle proportional to the row's position.

    Pair i of position p turns by a = p · base^(-2i/d): (u, w) becomes (u cos a - w sin a, u sin a + w cos a). Pair i is
    columns i and i + d/2, or 2i and 2i + 1 if `adjacent`. Lengths stay, and rotary(q, m) · rotary(k, n) depends on q, k
    and m - n only. Position 0 changes nothing; positions may be negative, repeated and in any order.
    Angles are rounded to float64 before the sine, so an entry is right to about p · 2^-52.

    Source: Su et al. 2021 (arXiv:2104.09864), section 3.2.2 (general form).
    Departs from it: the default pairs column i with i + d/2, as GPT-NeoX does, and transformers with its Llama weights;
    the paper's pairs are `adjacent`, as are those of the Llama weights that Meta publishes. The two differ by a fixed
    order of columns, which leaves the scores alone if q and k share it.

    Args:
        x: queries or keys, one row a position.
        positions: of the rows, the same for the whole batch.
        base: the larger, the slower the last pairs turn; 1: all turn alike.
        adjacent: whether neighbours form a pair, as in the paper and in GPT-J.
    Raises:
        ValueError: d is odd, an entry of `x` is not finite, or `base` is not 1 or more and finite in float64.

    Cost: O(B·T·d).

    >>> x = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    >>> rotary(x, torch.tensor([0])).tolist()
    [[1.0, 2.0, 3.0, 4.0]]
    >>> rotary(x[:, :2], torch.tensor([1])).numpy().round(4)          # cos 1 - 2 sin 1, sin 1 + 2 cos 1
    array([[-1.1426,  1.9221]])
    """
    width = x.shape[-1]
    if width % 2:
        raise ValueError(f"x: expected an even width d, got {width}")
    require_base("base", base)
    finite("x", x)
    exponents = torch.arange(0, width, 2, dtype=torch.float64, device=x.device) / max(width, 1)  # (d/2,)
    angles = positions[:, None] * float(base) ** -exponents  # (T, d/2)
    pair_dimension = -1 if adjacent else -2
    pairs = x.reshape(*x.shape[:-1], *((width // 2, 2) if adjacent else (2, width // 2)))
    first, second = pairs.unbind(pair_dimension)  # (*B, T, d/2) each
    cos, sin = angles.cos(), angles.sin()
    turned = (first * cos - second * sin, first * sin + second * cos)
    return torch.stack(turned, dim=pair_dimension).flatten(start_dim=-2)


def require_base(name: str, base: float) -> None:
    """Hold a base of angles to 1 or more, and to what float64 holds."""
    if not 1 <= base <= sys.float_info.max:
        raise ValueError(f"{name}: expected a finite number, 1 or more, got {base}")
