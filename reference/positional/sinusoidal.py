"""The fixed table of sines and cosines. Covers the interleaved layout of the paper; not the one in two halves."""

import torch
from jaxtyping import Float64
from torch import Tensor

from reference.checked import checked
from reference.values import at_least

BASE = 10000.0  # of the paper: wavelengths grow from 2π to 10000 · 2π positions


@checked
def sinusoidal(n_positions: int, width: int, *, device: torch.device | str | None = None) -> Float64[Tensor, "N D"]:
    """Give every position a row of sines and cosines of falling frequency.

    table[p, 2i] = sin(p / 10000^(2i/D)), table[p, 2i + 1] = cos(p / 10000^(2i/D)).
    Odd D: the last column is a sine without its cosine. No position or no column: an empty table.
    Angles are rounded to float64 before the sine, so an entry is right to about p · 2^-52.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.5.
    Departs from it: odd widths have a value.

    Args:
        n_positions: N, the rows of the table, for positions 0 to N - 1.
        width: D, the columns of the table.
        device: where the table shall be; None: torch's default.
    Raises:
        ValueError: `n_positions` or `width` is negative.

    Cost: O(N·D).

    >>> sinusoidal(2, 4)[0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    >>> sinusoidal(2, 3)[1].numpy().round(4)                          # sin 1, cos 1, and the sine of a slower wave
    array([0.8415, 0.5403, 0.0022])
    """
    at_least("n_positions", n_positions, 0)
    at_least("width", width, 0)
    position = torch.arange(n_positions, dtype=torch.float64, device=device)[:, None]  # (N, 1)
    column = torch.arange(width, device=device)  # (D,)
    pair = 2 * (column // 2)  # sine and cosine of a pair share their frequency
    angles = position / BASE ** (pair.double() / max(width, 1))  # (N, D)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())
