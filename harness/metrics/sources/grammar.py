"""A probabilistic context-free grammar as a source: sentences with structure, and their exact probabilities.

A document is a fixed number of independent sentences, one a line, each ended by `END`: its length is in sentences.
Not covered: the sum over derivations (`inside`), and the random grammars with agreement (`agreement`).
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.sources import agreement
from harness.metrics.sources.draws import ROUNDING, require_size, thresholds, uniforms
from harness.metrics.sources.inside import Inside

END = ".\n"
NEARLY = 1e-6  # a spectral radius this close to 1 is taken for 1: its sentences would have a million words

Rules = Mapping[str, Sequence[tuple[float, tuple[str, ...]]]]


class GrammarSource:
    """Sentences derived from a start symbol; what has no rules of its own is a word.

    p(document) is the product of its sentences' probabilities, and that of a sentence the sum over *all* its
    derivations, where it has several. Words hold no white space and do not end in a full stop, so that no document is
    the beginning of another of as many sentences.

    >>> source = GrammarSource({"S": [(0.75, ("a",)), (0.25, ("a", "S"))]}, start="S")
    >>> [round(math.exp(source.log_probability(text)), 6) for text in ("a.\\n", "a a.\\n", "a.\\na a.\\n")]
    [0.75, 0.1875, 0.140625]
    """

    def __init__(self, rules: Rules, *, start: str) -> None:
        """`rules[symbol]` are its alternatives: (probability, the symbols or words that take its place).

        Raises:
            ConfigurationError: no such start, probabilities that do not add up to 1, an empty alternative, a word that
                could not be told apart in a document, or sentences whose expected length is infinite.
        """
        self.rules = {symbol: _normalised(symbol, alternatives) for symbol, alternatives in rules.items()}
        self.start = start
        if start not in self.rules:
            raise _wrong(f"it has no rule for its start {start!r}", "Add one, or name another start.")
        for word in self.words:
            if not word or word.endswith(END[0]) or word.split() != [word]:
                raise _wrong(f"{word!r} is no word", "Use words without white space or a full stop at their end.")
        _require_end(self.rules)

    @classmethod
    def random(cls, rng: np.random.Generator, *, words: int = 60, classes: int = 3, nesting: float = 0.3) -> Self:
        """A grammar of pseudo-words in which verbs agree with nouns across relative clauses; see `agreement`.

        Args:
            rng: draws words and probabilities.
            words: how many nouns and verbs, in all classes together.
            classes: how many classes of agreement, like the numbers and genders of a language.
            nesting: probability that a noun carries a relative clause, which can hold another one.

        Raises:
            ConfigurationError: as for the constructor, or a size is impossible.
        """
        return cls(agreement.rules(rng, words=words, classes=classes, nesting=nesting), start=agreement.START)

    @property
    def words(self) -> list[str]:
        """What stands in sentences, in the order of the rules."""
        used = (symbol for options in self.rules.values() for _, made in options for symbol in made)
        return [symbol for symbol in dict.fromkeys(used) if symbol not in self.rules]

    def sample(self, rng: np.random.Generator, *, documents: int, length: int) -> list[str]:
        """Draw independent documents of `length` sentences each; about 0.1 s for 100 kB.

        Raises:
            ConfigurationError: `documents` or `length` is not positive.
        """
        require_size(documents, length)
        numbers = uniforms(rng)
        return ["".join(self._sentence(numbers) for _ in range(length)) for _ in range(documents)]

    def log_probability(self, document: str) -> float:
        """ln p(document) among all documents of as many sentences; -inf for what is never drawn.

        Cost: for each length of a sentence, O(n³) per rule and sentence of n words; about 0.5 s for 100 kB.
        """
        *sentences, rest = document.split(END)
        if rest:
            return -math.inf
        counts = Counter(sentences)
        known = self._inside.log_probabilities([sentence.split(" ") for sentence in counts])
        return math.fsum(count * value for count, value in zip(counts.values(), known, strict=True))

    def _sentence(self, numbers: Iterator[float]) -> str:
        words = []
        waiting = [self.start]
        while waiting:
            symbol = waiting.pop()
            if symbol in self._choices:
                limits, made = self._choices[symbol]
                waiting.extend(made[bisect_right(limits, next(numbers))])
            else:
                words.append(symbol)
        return " ".join(words) + END

    @cached_property
    def _choices(self) -> dict[str, tuple[list[float], list[tuple[str, ...]]]]:
        """Thresholds and what they choose, last symbol first, as a stack wants it."""
        return {
            symbol: (thresholds([p for p, _ in options]), [made[::-1] for _, made in options])
            for symbol, options in self.rules.items()
        }

    @cached_property
    def _inside(self) -> Inside:
        return Inside(self.rules, self.start)


def _normalised(
    symbol: str, alternatives: Sequence[tuple[float, tuple[str, ...]]]
) -> tuple[tuple[float, tuple[str, ...]], ...]:
    """The alternatives of one symbol, each with a positive share of 1."""
    total = math.fsum(p for p, _ in alternatives)
    if not all(p >= 0 for p, _ in alternatives) or not abs(total - 1) <= ROUNDING:
        raise _wrong(f"the probabilities of {symbol!r} add up to {total:g}", "Let them be >= 0 and add up to 1.")
    if not all(made for _, made in alternatives):
        raise _wrong(f"{symbol!r} may become nothing", "Let every alternative hold a symbol or a word.")
    return tuple((p / total, tuple(made)) for p, made in alternatives if p > 0)


def _require_end(rules: Rules) -> None:
    """Refuse a grammar whose derivations grow without end: the spectral radius of expected offspring must be below 1.

    Source: Booth and Thompson 1973, Applying Probability Measures to Abstract Languages (IEEE Transactions on
    Computers C-22(5)).
    """
    place = {symbol: number for number, symbol in enumerate(rules)}
    offspring = np.zeros((len(rules), len(rules)))
    for symbol, alternatives in rules.items():
        for p, made in alternatives:
            for child in made:
                if child in place:
                    offspring[place[symbol], place[child]] += p
    radius = float(abs(np.linalg.eigvals(offspring)).max())
    if radius > 1 - NEARLY:
        raise _wrong(
            f"its sentences have infinite expected length (spectral radius {radius:.6g})",
            "Make the alternatives that contain their own symbol less likely.",
        )


def _wrong(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"a grammar source is impossible: {what}", remedy=remedy)
