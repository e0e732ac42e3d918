"""Rules about values that several components share: what comes in is in range, or a ValueError quotes what it was.

Covers ranges, finiteness, logits, probabilities and token ids. Shapes and types are held by `reference.checked`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

SUM_TOLERANCE = 1e-9  # of probabilities: far above the rounding of a million float64 additions, far below a slip


def at_least(name: str, value: float, minimum: float) -> None:
    """Hold `value` to `minimum` or more.

    Raises:
        ValueError: it is less, or NaN.

    >>> at_least("n_merges", -1, 0)
    Traceback (most recent call last):
    ValueError: n_merges: expected 0 or more, got -1
    """
    if not value >= minimum:
        raise ValueError(f"{name}: expected {minimum} or more, got {value}")


def weight(name: str, value: float) -> None:
    """Hold `value` to a finite number of 0 or more.

    Raises:
        ValueError: it is negative, infinite or NaN.

    >>> weight("penalty", float("inf"))
    Traceback (most recent call last):
    ValueError: penalty: expected a finite number, got inf
    """
    at_least(name, value, 0)
    if value == np.inf:
        raise ValueError(f"{name}: expected a finite number, got inf")


def above_zero(name: str, value: float) -> None:
    """Hold `value` to a finite number above 0.

    Raises:
        ValueError: it is 0, negative, infinite or NaN.

    >>> above_zero("learning_rate", 0.0)
    Traceback (most recent call last):
    ValueError: learning_rate: expected a finite number above 0, got 0.0
    """
    if not 0 < value < np.inf:
        raise ValueError(f"{name}: expected a finite number above 0, got {value}")


def finite(name: str, values: Any) -> None:
    """Hold every entry of an array or tensor to a finite number.

    Raises:
        ValueError: an entry is NaN or infinite; the first one is quoted.

    >>> finite("x", np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: x: expected finite values, got nan
    """
    _hold(name, values, _isfinite(values), "finite values")


def logits(name: str, values: Any) -> None:
    """Hold every entry to a finite number or -inf, which stands for "never".

    Raises:
        ValueError: an entry is NaN or +inf.

    >>> logits("logits", torch.tensor([0.0, -torch.inf]))
    """
    _hold(name, values, _isfinite(values) | (values == -np.inf), "finite values or -inf")


def distribution(name: str, values: Any) -> None:
    """Hold the last dimension to probabilities: not negative, summing to 1 within `SUM_TOLERANCE`.

    Raises:
        ValueError: an entry is negative or NaN, or a sum is off.

    >>> distribution("p", np.array([0.5, 0.4]))
    Traceback (most recent call last):
    ValueError: p: expected probabilities that sum to 1, got a sum of 0.9
    """
    _hold(name, values, values >= 0, "probabilities of 0 or more")
    with np.errstate(over="ignore"):  # an infinite sum is off like any other
        totals = values.sum(-1)
    off = ~(abs(totals - 1) <= SUM_TOLERANCE)
    if off.any():
        first = totals.reshape(-1)[off.reshape(-1)][0].item()
        raise ValueError(f"{name}: expected probabilities that sum to 1, got a sum of {first:.10g}")


def token_ids(name: str, values: Any, n_tokens: int) -> None:
    """Hold every entry of an array or tensor of integers to a known token id.

    Raises:
        ValueError: an id is negative, or `n_tokens` or more.

    >>> token_ids("ids", np.array([0, 7]), n_tokens=7)
    Traceback (most recent call last):
    ValueError: ids: expected token ids from 0 to 6, got 7
    """
    _hold(name, values, (values >= 0) & (values < n_tokens), _range(n_tokens))


def known_ids(name: str, ids: Iterable[int], n_tokens: int) -> None:
    """Hold plain integers, of any size, to known token ids. Each is looked at; `@checked` draws one of a list.

    Raises:
        TypeError: one is not an integer.
        ValueError: an id is negative, or `n_tokens` or more.

    >>> known_ids("ids", [0, 1_000_000], n_tokens=256)
    Traceback (most recent call last):
    ValueError: ids: expected token ids from 0 to 255, got 1000000
    """
    for one in ids:
        if not isinstance(one, int):
            raise TypeError(f"{name}: expected integers, got {one!r}")
        if not 0 <= one < n_tokens:
            raise ValueError(f"{name}: expected {_range(n_tokens)}, got {one}")


def _range(n_tokens: int) -> str:
    return f"token ids from 0 to {n_tokens - 1}" if n_tokens else "none, as the vocabulary is empty"


def _isfinite(values: Any) -> Any:
    return torch.isfinite(values) if isinstance(values, torch.Tensor) else np.isfinite(values)


def _hold(name: str, values: Any, good: Any, expected: str) -> None:
    """Raise with the first entry of `values` where `good` is false."""
    if not good.all():
        wrong = values[~good] if values.ndim else values.reshape(1)
        first = wrong.reshape(-1)[0].item()
        raise ValueError(f"{name}: expected {expected}, got {first if isinstance(first, int) else format(first, 'g')}")
