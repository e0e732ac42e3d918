"""Several heads in one matrix: how a model's columns are cut into heads and put together again. For this package."""

from jaxtyping import Float64
from torch import Tensor


def split(x: Float64[Tensor, "B T D"], n_heads: int) -> Float64[Tensor, "B H T D/H"]:
    """Cut the last dimension into heads, in order, and put them before the positions."""
    batch, length, width = x.shape
    return x.reshape(batch, length, n_heads, width // n_heads).transpose(1, 2)


def join(heads: Float64[Tensor, "B H T D/H"]) -> Float64[Tensor, "B T D"]:
    """Concatenate the heads in order: undo `split`."""
    return heads.transpose(1, 2).flatten(start_dim=2)


def require_divisor(n_heads: int, width: int) -> None:
    """Hold the number of heads to one that cuts the width into equal parts."""
    if n_heads < 1 or width < 1 or width % n_heads:
        none = "" if width else ", which none is"  # a head of width 0 has no scores
        raise ValueError(f"n_heads: expected a divisor of D = {width}{none}, got {n_heads}")
