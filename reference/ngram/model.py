"""What every n-gram model offers: the distribution of the next token, and the probability of each token of a text.

Covers the rules about contexts and unknown tokens. Not covered: where the probabilities come from.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.values import at_least


class Model(ABC):
    """A distribution over a closed vocabulary for every context.

    p(token | context) sums to 1 over the vocabulary, whatever the context. Only the last order - 1 tokens of a context
    are read; a shorter one, down to the empty one, is what a text begins with. A context may hold tokens outside the
    vocabulary, such as a start symbol: what was never counted is an unseen context. To predict such a token is an
    error, see `with_unknown`.

    A model defines `_probability`, which gets a token of the vocabulary and at most order - 1 tokens of context.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 3; Jurafsky and Martin, Speech and Language
    Processing (3rd edition draft), section 3.1.

    Args:
        vocabulary: V distinct tokens, at least one; the distribution is in this order.
        order: n of the n-grams: 1 for a model that reads no context.
    Raises:
        ValueError: the vocabulary is empty or holds a token twice, or `order` is below 1.

    Cost: O(V).

    >>> class Uniform(Model):
    ...     def _probability(self, token, context):
    ...         return 1 / len(self.vocabulary)
    >>> Uniform("abcd", order=1).distribution()
    array([0.25, 0.25, 0.25, 0.25])
    """

    vocabulary: tuple[Hashable, ...]
    order: int

    @checked
    def __init__(self, vocabulary: Sequence[Hashable], *, order: int) -> None:
        at_least("order", order, 1)
        self.vocabulary = tuple(vocabulary)
        self.order = order
        self._index = {token: index for index, token in enumerate(self.vocabulary)}
        if not self.vocabulary:
            raise ValueError("vocabulary: expected at least one token, got none")
        if len(self._index) < len(self.vocabulary):
            raise ValueError(f"vocabulary: expected distinct tokens, got {self.vocabulary!r}")

    @abstractmethod
    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        """Probability of `token` after `context`, of which there are at most order - 1 tokens."""

    @checked
    def distribution(self, context: Sequence[Hashable] = ()) -> Float64[np.ndarray, " V"]:
        """The distribution of the token after `context`, in the order of the vocabulary.

        Args:
            context: what comes before, the nearest token last; only the last order - 1 tokens are read.
        Raises:
            ValueError: the model has no rule for a token of the context.

        Cost: V probabilities.

        >>> from reference.ngram import AddK, counts_by_order
        >>> AddK(counts_by_order(["aab"], order=2), "ab", k=0).distribution("a")
        array([0.5, 0.5])
        """
        return self._distribution(self._recent(context))

    @checked
    def probabilities(self, tokens: Sequence[Hashable], context: Sequence[Hashable] = ()) -> Float64[np.ndarray, " N"]:
        """The probability of every token of a text, each after `context` and the tokens before it.

        No token: an empty array.

        Args:
            tokens: N tokens of the vocabulary.
            context: what comes before the text, such as start symbols; it is read, not predicted.
        Raises:
            ValueError: a token is not in the vocabulary, or the model has no rule for a token of the context.

        Cost: N probabilities.

        >>> from reference.ngram import AddK, counts_by_order
        >>> AddK(counts_by_order(["aab"], order=2), "ab", k=0).probabilities("ab", context="b")
        array([0.5, 0.5])
        """
        for token in tokens:
            if token not in self._index:
                raise ValueError(f"tokens: expected tokens of the vocabulary, got {token!r}")
        recent = self._recent(context)
        history = (*recent, *tokens)
        return np.array(
            [
                self._probability(token, history[max(0, at - (self.order - 1)) : at])
                for at, token in enumerate(tokens, len(recent))
            ],
            dtype=np.float64,
        )

    def _recent(self, context: Sequence[Hashable]) -> tuple[Hashable, ...]:
        return tuple(context[max(0, len(context) - (self.order - 1)) :])

    def _distribution(self, context: tuple[Hashable, ...]) -> Float64[np.ndarray, " V"]:
        return np.array([self._probability(token, context) for token in self.vocabulary])


@checked
def transition_array(model: Model) -> Float64[np.ndarray, "*C V"]:
    """Tabulate a model: its distribution after each of the contexts of order - 1 tokens of the vocabulary.

    entry[i, …, j, k] = p(token k | token i, …, token j), so that a bigram model gives a V × V matrix, and a model of
    order 1 its distribution.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1 (the bigram table).

    Args:
        model: any; for small vocabularies.
    Returns:
        `model.order` axes of length V, each in the order of the vocabulary.
    Raises:
        TypeError: a wrong type.

    Cost: V^order probabilities.

    >>> from reference.ngram import AddK, counts_by_order
    >>> transition_array(AddK(counts_by_order(["aab"], order=2), "ab", k=1))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    contexts = product(model.vocabulary, repeat=model.order - 1)
    rows = np.stack([model.distribution(context) for context in contexts])
    return rows.reshape((len(model.vocabulary),) * model.order)
