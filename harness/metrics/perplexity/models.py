"""Asking for distributions: of a function in a kernel, or of a table that has been fetched from it.

Not covered: in which order texts are shown (`scoring`), and what an answer must be (`rows`).
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np

from harness.metrics.contract import Asked
from harness.metrics.perplexity.refusals import refused
from harness.metrics.perplexity.rows import Rows, read
from harness.metrics.perplexity.rules import Rules

LONGEST = 32  # n of the longest n-grams: lookups stay cheap whatever keys come
TOKENS_PER_REQUEST = 2048  # ids in one round trip: one takes 2 ms, and all its calls together have a time limit


class CalledModel:
    """A function of the notebook from a context of ids to distributions."""

    def __init__(self, function: Asked, rules: Rules, width: int) -> None:
        """`width` is V."""
        self.width = width
        self.whole = rules.rows == "all"  # whether one answer covers every prefix
        self.function = function
        self._rules = rules
        self._fixed = False

    def asking(self, function: Asked) -> Self:
        """The same model where `function` is: what it has promised holds there too."""
        other = copy(self)
        other.function = function
        return other

    def ask(self, contexts: Sequence[list[int]]) -> Iterator[Rows]:
        """One answer for each context of T ids, in order: T rows, or the last one alone.

        Raises:
            Refused: an answer that is no rows of the promised shape.
        """
        for batch in _batches(contexts):
            arguments = [self._argument(context) for context in batch]
            answers = self.function.map(arguments) if len(batch) > 1 else [self.function(arguments[0])]
            for context, answer in zip(batch, answers, strict=True):
                yield self._read(answer, len(context))

    def _read(self, answer: Any, length: int) -> Rows:
        shape = (length, self.width) if self.whole else (self.width,)
        rows = read(answer, length=length, shape=shape, kind=self._rules.kind, fixed=self._fixed)
        self._fixed = self._fixed or answer is not None
        return rows

    def _argument(self, context: list[int]) -> Any:
        if self._rules.ids == "list":
            return context
        import torch

        return torch.tensor(context, dtype=torch.int64)


class TableModel:
    """An n-gram table fixed before any text was shown: an array (V, …, V), or a mapping from contexts to rows of V.

    The context is the n - 1 ids before, with start tokens before the text. Nothing can look ahead here.
    """

    whole = True

    def __init__(self, table: Any, rules: Rules, width: int) -> None:
        """Take the table as it came from the kernel.

        Raises:
            Refused: it is no array of numbers with V entries along each axis.
        """
        self.width = width
        self._rules = rules
        self._cells: dict[tuple[int, ...], Any] = {}
        self._table: Rows | None = None  # of an array: a row for each context, the last id counting fastest
        if isinstance(table, Mapping):
            self._cells = {key if isinstance(key, tuple) else (key,): row for key, row in table.items()}
            self.order = 1 + max(map(len, self._cells), default=0)
            if self.order > LONGEST:
                raise refused("wrong_shape", length=self.order - 1, got="context", expected=f"n <= {LONGEST}")
            return
        self.order = max(1, _axes(table))
        shape = (width,) * self.order
        self._table = read(table, length=self.order - 1, shape=shape, kind=rules.kind, fixed=False)

    def ask(self, contexts: Sequence[list[int]]) -> Iterator[Rows]:
        """T rows for each context of T ids."""
        for context in contexts:
            padded = [self._rules.start] * (self.order - 1) + context
            ends = range(self.order, len(padded) + 1)
            yield self._rows([tuple(padded[end - self.order + 1 : end]) for end in ends])

    def _rows(self, keys: Sequence[tuple[int, ...]]) -> Rows:
        if self._table is not None:
            numbers = (
                np.array(keys, dtype=np.int64).reshape(len(keys), -1) @ self.width ** np.arange(self.order - 1)[::-1]
            )
            absent = frozenset(range(len(keys))) if self._table.absent else frozenset()
            return replace(self._table, values=self._table.values[numbers], absent=absent)
        shape = (self.width,)
        found = [
            read(self._cells.get(key), length=len(key), shape=shape, kind=self._rules.kind, fixed=False) for key in keys
        ]
        absent = frozenset(number for number, rows in enumerate(found) if rows.absent)
        values = np.concatenate([rows.values for rows in found])
        return Rows(values, self._rules.kind, absent)


Model = CalledModel | TableModel


def _axes(table: Any) -> int:
    """Axes of an array, a tensor or nested lists, as far as its first entries tell."""
    if hasattr(table, "ndim"):
        return int(table.ndim)
    axes = 0
    while isinstance(table, list | tuple) and table:
        table, axes = table[0], axes + 1
    return axes


def _batches(contexts: Sequence[list[int]]) -> Iterator[list[list[int]]]:
    """`contexts` in order, cut where a request would hold more than TOKENS_PER_REQUEST ids."""
    batch: list[list[int]] = []
    total = 0
    for context in contexts:
        if batch and total + len(context) > TOKENS_PER_REQUEST:
            yield batch
            batch, total = [], 0
        batch.append(context)
        total += len(context)
    if batch:
        yield batch
