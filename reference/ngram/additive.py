"""The maximum-likelihood n-gram model and additive smoothing, for any order. Not covered: mixing orders."""

from collections.abc import Hashable, Mapping, Sequence

from reference.checked import checked
from reference.ngram.followers import by_context, require_counts
from reference.ngram.model import Model
from reference.ngram.smoothing import require_smoothing


class AddK(Model):
    """The n-gram model with k added to every count; k = 0 is the maximum-likelihood estimate.

    p(w | c) = (count(c w) + k) / (sum over v of count(c v) + k · V), with c the last n - 1 tokens of the context. A
    shorter context, as at the beginning of a text, is looked up among the shorter n-grams, by the same formula.
    Total zero (context unseen, k = 0): uniform, 1/V. So an empty corpus gives the uniform distribution for every k,
    and a vocabulary of one token gives it probability 1.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), sections 3.1 and
    3.6.
    Departs from it: unseen contexts with k = 0 have a value.

    Args:
        counts: of 1-grams up to n-grams, as `counts_by_order` returns them; each ends in a token of the vocabulary.
        vocabulary: V distinct tokens; a start symbol, which is never predicted, does not belong.
        k: finite and not negative.
    Raises:
        ValueError: `counts` has no order, an n-gram of another length or outside the vocabulary, or a negative count;
            the vocabulary is empty or repeats a token; `k` is negative, or k · V is not finite.

    Cost: O(number of distinct n-grams) to build; O(1) for one probability.

    >>> from reference.ngram import counts_by_order
    >>> counts = counts_by_order(["to be or not to be".split()], order=2)
    >>> words = ["be", "not", "or", "to"]
    >>> AddK(counts, words, k=0).probabilities(["be", "or"], context=["to"])
    array([1., 1.])
    >>> AddK(counts, words, k=1).distribution(["to"])       # "be" twice of 2, and 1 for each of 4
    array([0.5       , 0.16666667, 0.16666667, 0.16666667])
    >>> AddK(counts, words, k=0).distribution(["okapi"])    # unseen
    array([0.25, 0.25, 0.25, 0.25])
    """

    @checked
    def __init__(
        self, counts: Sequence[Mapping[tuple[Hashable, ...], int]], vocabulary: Sequence[Hashable], *, k: float | int
    ) -> None:
        require_counts(counts, vocabulary)
        super().__init__(vocabulary, order=len(counts))
        require_smoothing(k)
        require_smoothing(k * len(vocabulary), name="k · V")
        self._k = float(k)
        self._followers = [by_context(counter) for counter in counts]

    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        after = self._followers[len(context)].get(context)
        seen, total = (after.counts.get(token, 0), after.total) if after else (0, 0)
        smoothed = total + self._k * len(self.vocabulary)
        return (seen + self._k) / smoothed if smoothed > 0 else 1 / len(self.vocabulary)
