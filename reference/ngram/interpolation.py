"""Jelinek–Mercer smoothing: a weighted mean of the estimates of all orders. Not covered: finding the weights."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from reference.checked import checked
from reference.ngram.followers import by_context, require_counts
from reference.ngram.model import Model
from reference.values import distribution


class Interpolated(Model):
    """The weighted mean of the uniform distribution and the maximum-likelihood estimates of orders 1 to n.

    p(w | c) = λ₀ / V + sum over m = 1 … n of λ_m · count(c_m w) / (sum over v of count(c_m v)), with c_m the last
    m - 1 tokens of the context. Where c_m was never seen, or the context is shorter than m - 1 tokens, the order m has
    no estimate of its own and takes that of order m - 1; so its weight goes to the longest context that was seen, in
    the end to the uniform distribution: an empty corpus gives 1/V. A token that no order has counted and λ₀ = 0 has
    probability 0, unless its context and the 1-grams are all unseen.

    Source: Jelinek and Mercer 1980, Interpolated estimation of Markov source parameters from sparse data; Chen and
    Goodman 1999 (Computer Speech and Language 13), section 2.3; as a weighted sum, Jurafsky and Martin, Speech and
    Language Processing (3rd edition draft of January 2025), section 3.6.
    Departs from it: the weights do not depend on the context, other than by the rule for unseen ones.

    Args:
        counts: of 1-grams up to n-grams, as `counts_by_order` returns them; each ends in a token of the vocabulary.
        vocabulary: V distinct tokens; a start symbol, which is never predicted, does not belong.
        weights: λ₀ (uniform), λ₁ (1-grams), … λ_n: n + 1 numbers, not negative, that sum to 1.
    Raises:
        ValueError: there are not n + 1 weights, or they are no distribution; or counts or vocabulary are not as said,
            see `AddK`.

    Cost: O(number of distinct n-grams) to build; O(n) for one probability.

    >>> from reference.ngram import counts_by_order
    >>> model = Interpolated(counts_by_order(["aab"], order=2), "ab", weights=[0, 0.5, 0.5])
    >>> model.distribution("a").round(4)                    # (2/3 + 1/2) / 2 and (1/3 + 1/2) / 2
    array([0.5833, 0.4167])
    >>> model.distribution("b").round(4)                    # nothing follows "b": 1-grams
    array([0.6667, 0.3333])
    """

    @checked
    def __init__(
        self,
        counts: Sequence[Mapping[tuple[Hashable, ...], int]],
        vocabulary: Sequence[Hashable],
        *,
        weights: Sequence[float | int],
    ) -> None:
        require_counts(counts, vocabulary)
        super().__init__(vocabulary, order=len(counts))
        if len(weights) != self.order + 1:
            raise ValueError(f"weights: expected {self.order + 1}, for orders 0 to {self.order}, got {len(weights)}")
        distribution("weights", np.array(weights, dtype=np.float64))
        self._weights = [float(weight) for weight in weights]
        self._followers = [by_context(counter) for counter in counts]

    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        estimate = 1 / len(self.vocabulary)
        mean = self._weights[0] * estimate
        for length, (weight, followers) in enumerate(zip(self._weights[1:], self._followers, strict=True)):
            after = followers.get(context[len(context) - length :]) if length <= len(context) else None
            if after:
                estimate = after.share(token)
            mean += weight * estimate
        return mean
