"""Likelihood and perplexity against NLTK's, and their rules at the edges."""

import math
from collections.abc import Callable, Hashable

import numpy as np
import pytest
from nltk.lm import KneserNeyInterpolated, Lidstone, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import AddK, KneserNey, Model, counts_by_order, mean_nll, perplexity, token_nll

TEXTS = ["abacabad", "bca", "", "dd"]
VOCABULARY = [*"abcd", "</s>"]
# a logarithm to base 2 and back, a sum of 9 terms and exp of about 1.5: 20 · 2^-53 ≈ 2e-15
WITHIN = 4e-15


class Fixed(Model):
    """The same probability for every token, be it a distribution or not."""

    def __init__(self, probability: float) -> None:
        super().__init__("ab", order=1)
        self.probability = probability

    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        return self.probability


@pytest.mark.parametrize("kind", ["Lidstone", "KneserNeyInterpolated"])
def test_they_equal_nltk(kind: str, proof: Callable) -> None:
    counts = counts_by_order(TEXTS, order=3, boundary=("<s>", "</s>"))
    known = Vocabulary([*VOCABULARY, "<s>"])
    if kind == "Lidstone":
        theirs, ours = Lidstone(0.5, 3, known), AddK(counts, [*VOCABULARY, "<s>", "<UNK>"], k=0.5)
    else:
        theirs, ours = (
            KneserNeyInterpolated(3, 0.4, vocabulary=known),
            KneserNey(counts, VOCABULARY, discounts=[0, 0.4, 0.4]),
        )
    theirs.fit([[gram for counter in counts for gram in counter.elements()]])
    text, start = [*"dabcacb", "</s>"], ["<s>", "<s>"]
    grams = [(*(start + text)[at : at + 2], token) for at, token in enumerate(text)]
    logs = np.array([-theirs.logscore(gram[-1], gram[:-1]) for gram in grams]) * math.log(2)
    proof(token_nll, f"nltk.lm.{kind}.logscore").close(token_nll(ours, text, context=start), logs, within=WITHIN)
    entropy = theirs.entropy(grams) * math.log(2)
    proof(mean_nll, f"nltk.lm.{kind}.entropy").close(mean_nll(ours, text, context=start), entropy, within=WITHIN)
    theirs_perplexity = theirs.perplexity(grams)
    proof(perplexity, f"nltk.lm.{kind}.perplexity").close(
        perplexity(ours, text, context=start), theirs_perplexity, within=WITHIN
    )


def test_perplexity_of_a_uniform_model_is_the_size_of_its_vocabulary() -> None:
    for size in (1, 2, 1000):
        model = AddK([{}], range(size), k=1)
        assert perplexity(model, [0, 0, 0]) == pytest.approx(size, rel=1e-14)
        assert mean_nll(model, [size - 1]) == pytest.approx(math.log(size), rel=1e-15)


def test_the_context_is_read_and_not_counted() -> None:
    model = AddK(counts_by_order(["aab"], order=2), "ab", k=0)
    assert token_nll(model, "a", context="ab").tolist() == [math.log(2)]  # "b" is unseen as a context
    assert token_nll(model, "ab").tolist() == pytest.approx([math.log(3 / 2), math.log(2)], rel=1e-15)


def test_probability_zero_makes_it_infinite() -> None:
    model = AddK(counts_by_order(["aaa"], order=1), "ab", k=0)
    assert token_nll(model, "aba").tolist() == [0.0, math.inf, 0.0]
    assert mean_nll(model, "aba") == math.inf
    assert perplexity(model, "aba") == math.inf


def test_certainty_costs_nothing() -> None:
    nll = token_nll(Fixed(1.0), "ab")
    assert nll.tolist() == [0.0, 0.0]
    assert not np.signbit(nll).any()
    assert perplexity(Fixed(1.0), "ab") == 1.0


def test_the_smallest_probabilities() -> None:
    assert perplexity(Fixed(1e-300), "ab") == pytest.approx(1e300, rel=1e-12)  # exp enlarges the rounding of 690
    assert mean_nll(Fixed(5e-324), "ab") == pytest.approx(-math.log(5e-324), rel=1e-15)
    assert perplexity(Fixed(5e-324), "ab") == math.inf


def test_no_token_has_no_average() -> None:
    assert token_nll(Fixed(0.5), "", context="ab").shape == (0,)
    for average in (mean_nll, perplexity):
        with pytest.raises(ValueError, match="tokens: expected at least one, got none"):
            average(Fixed(0.5), "", context="ab")


def test_a_token_outside_the_vocabulary_is_named() -> None:
    for metric in (token_nll, mean_nll, perplexity):
        with pytest.raises(ValueError, match="expected tokens of the vocabulary, got 'z'"):
            metric(Fixed(0.5), "az")
