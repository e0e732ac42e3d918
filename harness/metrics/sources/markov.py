"""A Markov source: each symbol depends on the `order` symbols before it, by a table that the grader knows.

Not covered: learning such a table (that is the exercise), and sources with hidden states.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, Self

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.sources.draws import ROUNDING, require_size, thresholds, uniforms

Array = np.ndarray[Any, np.dtype[np.float64]]
Ids = np.ndarray[Any, np.dtype[np.int64]]

LARGEST = 2**22  # entries of a table: 32 MiB
HIGHEST_ORDER = 21  # of two symbols: any higher table is beyond LARGEST
SETTLED = 1e-13  # total change of the start distribution in one step at which it is taken for stationary
STEPS = 10_000  # at most; a source that mixes slower still has an exactly known start


class MarkovSource:
    """Symbols x₁ … x_L with p(x) = s(x₁ … x_k) · product over t > k of p(x_t | x_{t-k} … x_{t-1}).

    s is the stationary distribution, as far as STEPS steps from the uniform one come to it: text begins as it goes on.
    A document is L symbols one after the other, its length in symbols. Symbols are characters, or words that end in a
    space: no symbol may be the beginning of another, so that a document is read in one way only.

    >>> source = MarkovSource("ab", np.array([[0.9, 0.1], [0.3, 0.7]]))
    >>> round(math.exp(source.log_probability("aab")), 9)             # 0.75 · 0.9 · 0.1
    0.0675
    """

    def __init__(self, symbols: Sequence[str], transitions: Array) -> None:
        """`transitions[i, …, j, n]` = p(symbol n | symbols i … j): as many axes as `order`, and one.

        Raises:
            ConfigurationError: the symbols are no prefix code, or the table is none.
        """
        self.symbols = tuple(symbols)
        table = np.array(transitions, dtype=np.float64)
        _require_code(self.symbols)
        _require_table(table, len(self.symbols))
        self.transitions = table / table.sum(axis=-1, keepdims=True)  # to the last bit, for long documents
        self.order = table.ndim - 1

    @classmethod
    def random(
        cls, rng: np.random.Generator, *, alphabet: Sequence[str], order: int, concentration: float = 0.3
    ) -> Self:
        """Each row of the table drawn from the symmetric Dirichlet distribution.

        Args:
            rng: draws the rows.
            alphabet: the symbols, for instance `string.ascii_lowercase + " "`.
            order: how many symbols back a symbol depends on, from 0.
            concentration: the distribution's parameter: near 0, one symbol follows almost surely; 1, any row is as
                likely; large, rows are nearly uniform.

        Raises:
            ConfigurationError: as for the constructor, or `order` or `concentration` is impossible.
        """
        size = len(alphabet)
        if type(order) is not int or not 0 <= order <= HIGHEST_ORDER or not 0 < concentration < math.inf:
            raise _wrong(
                f"order={order}, concentration={concentration}",
                f"Give a whole order from 0 to {HIGHEST_ORDER} and a finite positive number.",
            )
        _require_code(tuple(alphabet))
        _require_size(size ** (order + 1))
        rows = rng.dirichlet(np.full(size, concentration), size=size**order)
        return cls(alphabet, rows.reshape((size,) * (order + 1)))

    def sample(self, rng: np.random.Generator, *, documents: int, length: int) -> list[str]:
        """Draw independent documents of `length` symbols each; about 0.1 s for 100,000 symbols.

        Raises:
            ConfigurationError: `documents` or `length` is not positive.
        """
        require_size(documents, length)
        numbers = uniforms(rng)
        return ["".join(islice(self._symbols(numbers), length)) for _ in range(documents)]

    def log_probability(self, document: str) -> float:
        """ln p(document) among all documents of as many symbols; -inf for what is never drawn."""
        ids = self._ids(document)
        if ids is None:
            return -math.inf
        size, order = len(self.symbols), self.order
        begun = self._start.reshape(size ** min(order, len(ids)), -1).sum(axis=1)  # of the first symbols alone
        first = begun[_number(ids[:order], size)]
        total = math.log(first) if first > 0 else -math.inf
        if len(ids) > order:
            windows = np.lib.stride_tricks.sliding_window_view(ids, order + 1)  # (L - k, k + 1)
            total += self._logs.reshape(-1)[windows @ size ** np.arange(order, -1, -1)].sum()
        return float(total)

    def _symbols(self, numbers: Iterator[float]) -> Iterator[str]:
        """One document without end."""
        size, states = len(self.symbols), len(self._rows)
        state = bisect_right(self._start_thresholds, next(numbers))
        yield from (self.symbols[state // size**place % size] for place in range(self.order - 1, -1, -1))
        for number in numbers:
            symbol = bisect_right(self._rows[state], number)
            yield self.symbols[symbol]
            state = (state * size + symbol) % states

    def _ids(self, document: str) -> Ids | None:
        """The document's symbols by their numbers; None when it is not made of them."""
        found = self._reader.findall(document)
        if sum(map(len, found)) != len(document):
            return None
        return np.array([self._numbers[symbol] for symbol in found], dtype=np.int64)

    @cached_property
    def _reader(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.symbols)), re.DOTALL)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    @cached_property
    def _logs(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.transitions))

    @cached_property
    def _rows(self) -> list[list[float]]:
        """Thresholds for the next symbol, one row for each state: the number that the last `order` symbols write."""
        return [thresholds(row) for row in self.transitions.reshape(-1, len(self.symbols)).tolist()]

    @cached_property
    def _start(self) -> Array:
        """The distribution of the first `order` symbols, flat."""
        size = len(self.symbols)
        table = self.transitions.reshape(-1, size)
        start = np.full(len(table), 1 / len(table))
        for _ in range(STEPS):
            moved = (start[:, None] * table).reshape(size, -1).sum(axis=0) if self.order else start
            stepped = (start + moved) / 2  # a lazy step: sources that go round in circles settle as well
            stepped /= stepped.sum()
            change, start = np.abs(stepped - start).sum(), stepped
            if change < SETTLED:
                break
        return np.asarray(start)

    @cached_property
    def _start_thresholds(self) -> list[float]:
        return thresholds(self._start.tolist())


def _number(digits: Ids, base: int) -> int:
    """The number that `digits` write, the first one leading."""
    return int(digits @ base ** np.arange(len(digits) - 1, -1, -1)) if len(digits) else 0


def _require_code(symbols: tuple[str, ...]) -> None:
    if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise _wrong(f"its symbols are {symbols!r}", "Give one or more characters, or words that end in a space.")
    for first, second in pairwise(sorted(symbols)):  # a beginning sorts right before one of what begins so
        if second.startswith(first):
            raise _wrong(
                f"the symbol {first!r} begins the symbol {second!r}",
                "Let each be there once, words with a final space.",
            )


def _require_size(entries: int) -> None:
    if entries > LARGEST:
        raise _wrong(f"its table has {entries} entries", f"Stay within {LARGEST}: fewer symbols, or a lower order.")


def _require_table(transitions: Array, size: int) -> None:
    _require_size(transitions.size)
    if not transitions.ndim or set(transitions.shape) != {size}:
        raise _wrong(f"{size} symbols, a table of shape {transitions.shape}", f"Let every axis have length {size}.")
    sums = transitions.sum(axis=-1)
    if not (np.isfinite(transitions).all() and (transitions >= 0).all() and (abs(sums - 1) <= ROUNDING).all()):
        raise _wrong("a row of its table is no distribution", "Let the last axis be >= 0 and add up to 1.")


def _wrong(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"a Markov source is impossible: {what}", remedy=remedy)
