"""Interpolated Kneser–Ney smoothing of any order.

Covers one absolute discount for each order. Not covered: the modified variant with three discounts, and estimating
discounts.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from reference.checked import checked
from reference.ngram.followers import Ngram, by_context, require_counts
from reference.ngram.model import Model


class KneserNey(Model):
    """Discount every count by D, and give what that frees to the shorter context, where a token counts by its company.

    With a(c w) the count of the n-gram at the highest order n, and below it the number of distinct tokens that precede
    c w in the (m+1)-grams (its continuation count), A(c) = sum over v of a(c v), and T(c) = number of v with
    a(c v) > 0:

    p_m(w | c) = max(a(c w) - D_m, 0) / A(c) + D_m · T(c) / A(c) · p_{m-1}(w | c without its first token),
    p_0(w) = 1/V.

    Unseen context, A(c) = 0: p_m = p_{m-1}. So an empty corpus gives 1/V. A context shorter than n - 1 tokens, as at
    the beginning of a text, starts at its own order m < n, with continuation counts. n = 1: there is no shorter order,
    so the 1-grams themselves are discounted and interpolated with 1/V. What opens a text is preceded by nothing, and so
    continues nothing; with start symbols (see `padded`) it continues one of them.
    All D_m = 0: the maximum-likelihood estimate of the longest context that was seen. D_1 = 0: the distribution of
    continuations at the lowest order, where a token that continues nothing has probability 0.

    Source: Kneser and Ney 1995, Improved backing-off for m-gram language modeling (ICASSP); interpolated as in Chen
    and Goodman 1999 (Computer Speech and Language 13), sections 2.6 and 2.7.
    Departs from it: unseen contexts have a value; the recursion ends with the uniform distribution, one of the two ends
    that section 2.3 offers, and D_1 = 0 is the other.

    Args:
        counts: of 1-grams up to n-grams, as `counts_by_order` returns them; each ends in a token of the vocabulary.
        vocabulary: V distinct tokens; a start symbol, which is never predicted, does not belong.
        discounts: D_1, … D_n, each from 0 to 1.
    Raises:
        ValueError: there are not n discounts, or one is not within 0 to 1; or counts or vocabulary are not as said, see
            `AddK`.

    Cost: O(number of distinct n-grams) to build; O(n) for one probability.

    >>> from reference.ngram import counts_by_order
    >>> model = KneserNey(counts_by_order(["aabab"], order=2), "ab", discounts=[0, 0.5])
    >>> model.distribution("")                              # "a" continues "a" and "b", "b" continues "a"
    array([0.66666667, 0.33333333])
    >>> model.distribution("a").round(4)                    # (1 - D)/3 + 2D/3 · 2/3 and (2 - D)/3 + 2D/3 · 1/3
    array([0.3889, 0.6111])
    """

    @checked
    def __init__(
        self,
        counts: Sequence[Mapping[tuple[Hashable, ...], int]],
        vocabulary: Sequence[Hashable],
        *,
        discounts: Sequence[float | int],
    ) -> None:
        require_counts(counts, vocabulary)
        super().__init__(vocabulary, order=len(counts))
        if len(discounts) != self.order:
            raise ValueError(f"discounts: expected {self.order}, one for each order, got {len(discounts)}")
        for discount in discounts:
            if not 0 <= discount <= 1:
                raise ValueError(f"discounts: expected 0 to 1, got {discount}")
        self._discounts = [float(discount) for discount in discounts]
        adjusted = [*(_continuations(longer) for longer in counts[1:]), counts[-1]]
        self._followers = [by_context(counter) for counter in adjusted]

    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        probability = 1 / len(self.vocabulary)
        for length in range(len(context) + 1):
            after = self._followers[length].get(context[len(context) - length :])
            if after:
                discount = self._discounts[length]
                kept = max(after.counts.get(token, 0) - discount, 0.0) / after.total
                probability = kept + discount * len(after.counts) / after.total * probability
        return probability


def _continuations(longer: Mapping[Ngram, int]) -> Counter[Ngram]:
    """How many distinct tokens precede each m-gram, from the counts of (m+1)-grams."""
    return Counter(ngram[1:] for ngram, count in longer.items() if count)
