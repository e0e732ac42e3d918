"""One answer of a model: hostile data until it is read, then rows of distributions over V tokens.

All kinds are normalised here, in float64, so that what a row leaves over (1e-4 is allowed) cannot be gained.
Not covered: asking (`models`), and whether rows were honestly made (`audits`).
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from harness.metrics.perplexity.refusals import refused
from harness.metrics.perplexity.rules import Kind

Array = np.ndarray[Any, np.dtype[np.float64]]
Ids = np.ndarray[Any, np.dtype[np.int64]]

UNNORMALISED = 1e-4  # nats that a row of log-probabilities may miss 1 by: float32 reaches 1e-6 over 100,000 tokens
TINY = 1e-300  # stands for a sum of 0 in a logarithm
MIXTURE = 1e-6  # weight of the uniform distribution, for everyone alike: a token never costs more than log2(V / 1e-6)


@dataclass(frozen=True, slots=True)
class Rows:
    """Distributions after T prefixes: finite numbers of `kind`, shape (T, V)."""

    values: np.ndarray[Any, np.dtype[Any]]
    kind: Kind
    absent: frozenset[int] = frozenset()  # rows that the model did not give: they are uniform

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def uniform(cls, length: int, width: int, kind: Kind) -> Self:
        """What stands for rows that are missing."""
        entry = {"logits": 0.0, "log_probabilities": -math.log(width), "probabilities": 1 / width}[kind]
        return cls(np.full((length, width), entry), kind, frozenset(range(length)))

    def distributions(self, begin: int, end: int) -> Array:
        """Rows `begin` to `end`, normalised and mixed, shape (end - begin, V).

        Raises:
            Refused: a row is no distribution of its kind.
        """
        rows = self.values[begin:end].astype(np.float64)
        with np.errstate(over="ignore"):  # beyond float64, exp(-inf) = 0 and a sum of inf are what is meant
            total = self._weights(rows, begin)
        rows /= total
        rows += MIXTURE * (1 / rows.shape[-1] - rows)
        return np.asarray(rows)

    def _weights(self, rows: Array, begin: int) -> Array:
        """Turn `rows` into weights in proportion to probabilities; their sums, shape (n, 1)."""
        if self.kind == "probabilities":
            _require(rows >= 0, rows, begin, "negative")
            total = rows.sum(axis=-1, keepdims=True)
            _require(abs(np.log(np.maximum(total, TINY))) <= UNNORMALISED, total, begin, "unnormalised")
            return np.asarray(total)
        peak = rows.max(axis=-1, keepdims=True)
        rows -= peak
        np.exp(rows, out=rows)
        total = rows.sum(axis=-1, keepdims=True)
        if self.kind == "log_probabilities":
            _require(peak <= UNNORMALISED, peak, begin, "positive")
            _require(abs(peak + np.log(total)) <= UNNORMALISED, np.exp(peak) * total, begin, "unnormalised")
        return np.asarray(total)


def read(answer: Any, *, length: int, shape: tuple[int, ...], kind: Kind, fixed: bool) -> Rows:
    """The rows of an answer to a context of `length` ids; of None, uniform ones.

    Args:
        answer: anything at all.
        length: of the context, for the student's sentence.
        shape: (T, V) or (V,), what it must be.
        kind: what the numbers are.
        fixed: whether the model has already given rows of V numbers.

    Raises:
        Refused: no numbers, of another shape, or not finite.
    """
    if answer is None:
        return Rows.uniform(math.prod(shape[:-1]), shape[-1], kind)
    values = _numbers(answer, length)
    if fixed and values.shape[:-1] == shape[:-1] and values.ndim == len(shape) and values.shape != shape:
        raise refused("vocabulary_changed", got=values.shape[-1], expected=shape[-1])
    if values.shape != shape:
        raise refused("wrong_shape", length=length, got=values.shape, expected=shape)
    values = values.reshape(-1, shape[-1])
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise refused("not_finite", row=row, length=length, got=values[row, column])
    return Rows(values, kind)


def bits(distributions: Array, targets: Ids) -> Array:
    """-log2 of the probability of each row's target, shape (n,); exact where the probability is a power of two."""
    return np.asarray(-np.log2(distributions[np.arange(len(targets)), targets]))


def _numbers(answer: Any, length: int) -> np.ndarray[Any, np.dtype[Any]]:
    """`answer` as an array of floats."""
    if type(answer).__module__ == "torch" and answer.is_floating_point():
        import torch

        answer = answer.detach().to(torch.promote_types(answer.dtype, torch.float32)).numpy()  # NumPy has no bfloat16
    try:
        values = np.asarray(answer)
    except ValueError as error:  # rows of several lengths
        raise refused("not_numbers", length=length, got=type(answer).__name__) from error
    if values.dtype.kind not in "fiu":
        raise refused("not_numbers", length=length, got=f"{type(answer).__name__} ({values.dtype})")
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _require(right: np.ndarray[Any, np.dtype[np.bool_]], shown: Array, begin: int, reason: str) -> None:
    if not right.all():
        row, column = np.argwhere(~right)[0]
        raise refused(reason, row=begin + row, got=f"{shown[row, column]:.6g}")
