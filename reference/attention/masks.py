"""Who may look where: the causal, the sliding-window and the padding mask. True is visible, everywhere.

Masks combine with `&` and `|`. Not covered: masks that add to the scores (biases), masks too long to write out (see
`tiled_attention`).
"""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import at_least


@checked
def causal_mask(n: int, *, device: torch.device | str | None = None) -> Bool[Tensor, "n n"]:
    """Say which positions each position may look at: itself and those before it.

    mask[i, j] is true where j <= i. Length 0: an empty (0, 0) mask. The last T rows are the mask of T new queries over
    n keys, as in cached decoding.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3.

    Args:
        n: length, 0 or more.
        device: where the mask shall be; None: torch's default.
    Raises:
        ValueError: `n` is negative.

    Cost: O(n²).

    >>> causal_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    at_least("n", n, 0)
    position = torch.arange(n, device=device)
    return position[None, :] <= position[:, None]  # (1, n) <= (n, 1): (n, n)


@checked
def sliding_window_mask(n: int, window: int, *, device: torch.device | str | None = None) -> Bool[Tensor, "n n"]:
    """Let each position look at the last `window` positions, itself included.

    mask[i, j] is true where j <= i and i - j < window. A window of 1: each position sees itself only; a window of n or
    more: the causal mask. Length 0: an empty (0, 0) mask.

    Source: Jiang et al. 2023 (arXiv:2310.06825), section 2 (sliding window attention).
    Departs from it: the paper lets position i see from i - W on, which would be W + 1 positions; here it is W with i
    itself, as many as the paper's rolling cache holds.

    Args:
        n: length, 0 or more.
        window: W, how many positions are visible, 1 or more.
        device: where the mask shall be; None: torch's default.
    Raises:
        ValueError: `n` is negative, or `window` is below 1.

    Cost: O(n²).

    >>> sliding_window_mask(4, 2).int().tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    """
    at_least("n", n, 0)
    at_least("window", window, 1)
    position = torch.arange(n, device=device)
    distance = position[:, None] - position[None, :]  # (n, n): how far back
    return (distance >= 0) & (distance < min(window, n))  # n, lest a window beyond int64 wrap round


@checked
def padding_mask(lengths: Int64[Tensor, " B"], n: int) -> Bool[Tensor, "B n"]:
    """Say where real tokens stand when texts of several lengths fill a batch, padded at the end.

    mask[b, j] is true where j < lengths[b]. A text of length 0 is padding throughout. For attention, where it hides
    keys, write `padding_mask(lengths, n)[:, None, :]`, or `[:, None, None, :]` where there are heads.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3 (masking inside the softmax).
    Departs from it: there a mask hides the future, here what only fills up.

    Args:
        lengths: of the texts, 0 to n.
        n: length of the padded batch, 0 or more.
    Raises:
        ValueError: `n` is negative, or a length is negative or above `n`.

    Cost: O(B·n).

    >>> padding_mask(torch.tensor([1, 3]), 3).int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    at_least("n", n, 0)
    require_lengths(lengths, n)
    return torch.arange(n, device=lengths.device) < lengths[:, None]  # (n,) < (B, 1): (B, n)


def require_lengths(lengths: Int64[Tensor, "*B"], n: int) -> None:
    """Hold every length to 0 to n, both included."""
    outside = (lengths < 0) | (lengths > n)
    if outside.any():
        raise ValueError(f"lengths: expected 0 to {n}, got {lengths[outside][0].item()}")
