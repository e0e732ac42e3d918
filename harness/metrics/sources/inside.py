"""The inside algorithm: the probability of a sentence under a grammar, summed over all its derivations.

Rules are first cut into pieces of one word or two symbols; rules that replace one symbol by one other are summed in
closed form, cycles included. Not covered: checking the grammar (`grammar`).
Source: Baker 1979, Trainable grammars for speech recognition (JASA 65, supplement 1); Stolcke 1995, An efficient
probabilistic context-free parsing algorithm (Computational Linguistics 21(2)), section 4.5, for chains of unit rules.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Symbol = str | tuple[str, ...]  # of the grammar, or a piece that stands for several in a row


class Inside:
    """A grammar cut into pieces, ready to weigh sentences. K symbols and pieces, R rules of two."""

    def __init__(self, rules: Mapping[str, Sequence[tuple[float, tuple[str, ...]]]], start: str) -> None:
        """`rules` as GrammarSource holds them."""
        self._place: dict[Symbol, int] = {}
        self._named = set(rules)
        units: dict[tuple[int, int], float] = defaultdict(float)
        pairs: dict[tuple[int, int, int], float] = defaultdict(float)
        self._lexicon: dict[str, dict[int, float]] = defaultdict(dict)
        for symbol, alternatives in rules.items():
            parent = self._number(symbol)
            for p, made in alternatives:
                if len(made) > 1:
                    pairs[parent, *self._halves(made, pairs)] += p
                elif made[0] in self._named:
                    units[parent, self._number(made[0])] += p
                else:
                    words = self._lexicon[made[0]]
                    words[parent] = words.get(parent, 0.0) + p
        self._start = self._place[start]
        size = len(self._place)
        chains = np.eye(size)
        for (parent, child), p in units.items():
            chains[parent, child] -= p
        self._closed = np.linalg.inv(chains).T  # (K, K): child -> parent, over any number of unit rules
        triples = np.array(list(pairs), dtype=np.intp).reshape(-1, 3)
        self._left, self._right = triples[:, 1], triples[:, 2]
        weights = np.zeros((len(triples), size))
        weights[np.arange(len(triples)), triples[:, 0]] = list(pairs.values())
        self._raised = weights @ self._closed  # (R, K): a pair of children -> every symbol above it

    def log_probabilities(self, sentences: Sequence[Sequence[str]]) -> list[float]:
        """ln p of each sentence, a list of words; -inf for one that has no derivation."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, sentence in enumerate(sentences):
            by_length[len(sentence)].append(index)
        found = [-math.inf] * len(sentences)
        for indices in by_length.values():
            values = self._weigh([sentences[index] for index in indices])
            for index, value in zip(indices, values.tolist(), strict=True):
                found[index] = value
        return found

    def _weigh(self, sentences: Sequence[Sequence[str]]) -> Array:
        """ln p of S sentences of N words each.

        `by_start[w - 1, i]` and `by_end[w - 1, i + w - 1]` hold the same: the probabilities of the w words from i, for
        each sentence and symbol (S, K), divided by their largest, whose logarithm is in `scale`.
        """
        count, words, size = len(sentences), len(sentences[0]), len(self._place)
        by_start = np.zeros((words, words, count, size))
        by_end = np.zeros_like(by_start)
        scale_by_start = np.full((words, words, count), -np.inf)
        scale_by_end = scale_by_start.copy()
        for width in range(1, words + 1):
            if width == 1:
                chart, scale = _scaled(self._words(sentences), np.zeros((words, count)))
            else:
                firsts = slice(0, words - width + 1)
                lasts = slice(width - 1, words)
                left, right = by_start[: width - 1, firsts], by_end[width - 2 :: -1, lasts]
                together = scale_by_start[: width - 1, firsts] + scale_by_end[width - 2 :: -1, lasts]
                chart, scale = self._joined(left, right, together)
            by_start[width - 1, : words - width + 1] = by_end[width - 1, width - 1 :] = chart
            scale_by_start[width - 1, : words - width + 1] = scale_by_end[width - 1, width - 1 :] = scale
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(chart[0, :, self._start]) + scale[0])

    def _words(self, sentences: Sequence[Sequence[str]]) -> Array:
        """(N, S, K): the probability of each single word from each symbol."""
        chart = np.zeros((len(sentences[0]), len(sentences), len(self._place)))
        for row, sentence in enumerate(sentences):
            for position, word in enumerate(sentence):
                for symbol, p in self._lexicon.get(word, {}).items():
                    chart[position, row, symbol] = p
        return np.asarray(chart @ self._closed)

    def _joined(self, left: Array, right: Array, together: Array) -> tuple[Array, Array]:
        """Spans made of two: axes (place of the cut, first word, sentence), and the symbol for `left` and `right`."""
        peak = together.max(axis=0)
        shift = np.where(np.isfinite(peak), peak, 0.0)
        pairs = left[..., self._left] * right[..., self._right]  # (cuts, firsts, S, R)
        summed = np.einsum("cfsr,cfs->fsr", pairs, np.exp(together - shift))
        return _scaled(summed @ self._raised, peak)

    def _halves(self, made: tuple[str, ...], pairs: dict[tuple[int, int, int], float]) -> tuple[int, int]:
        """The numbers of the first symbol and of all that follows it, which becomes a piece where it is several."""
        rest = made[1:]
        right: Symbol = rest if len(rest) > 1 else rest[0]
        numbers = self._number(made[0]), self._number(right)
        if len(rest) > 1:
            pairs[numbers[1], *self._halves(rest, pairs)] = 1.0
        return numbers

    def _number(self, symbol: Symbol) -> int:
        """The place of a symbol, word or piece; a word among several gets a piece of its own."""
        number = self._place.setdefault(symbol, len(self._place))
        if isinstance(symbol, str) and symbol not in self._named:
            self._lexicon[symbol][number] = 1.0
        return number


def _scaled(chart: Array, logs: Array) -> tuple[Array, Array]:
    """Each span's probabilities divided by their largest, and `logs` of what they were divided by, that included."""
    largest = chart.max(axis=-1)
    with np.errstate(divide="ignore"):
        return chart / np.where(largest > 0, largest, 1.0)[..., None], logs + np.log(largest)
