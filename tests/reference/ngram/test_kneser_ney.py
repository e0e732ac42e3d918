"""Kneser-Ney against its formula computed by searching the text, and against NLTK where NLTK keeps to it."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from nltk.lm import KneserNeyInterpolated, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import AddK, KneserNey, counts_by_order

TEXTS = ["abacabadc", "bcab", "", "dd", "abac"]
VOCABULARY = [*"abcde", "</s>"]  # "e" never occurs
# n levels of 3 products, 2 divisions and 2 additions in float64 for n up to 4: 30 · 2^-53 ≈ 3e-15
WITHIN = 4e-15
Windows = list[tuple[str, ...]]


def windows(texts: list[str], order: int, boundary: tuple[str, str] | None) -> Windows:
    found: Windows = []
    for text in texts:
        tokens = [*text] if boundary is None else [boundary[0]] * (order - 1) + [*text, boundary[1]]
        found += [tuple(tokens[at : at + order]) for at in range(len(tokens) - order + 1)]
    return found


def written_out(
    texts: list[str], boundary: tuple[str, str] | None, discounts: list[float], context: tuple[str, ...], token: str
) -> float:
    """The recursion of the definition, from the top, where every count is a search."""

    def count(ngram: tuple[str, ...]) -> int:
        if len(ngram) == len(discounts):
            return windows(texts, len(ngram), boundary).count(ngram)
        return len({one[0] for one in windows(texts, len(ngram) + 1, boundary) if one[1:] == ngram})

    def smoothed(context: tuple[str, ...]) -> float:
        lower = smoothed(context[1:]) if context else 1 / len(VOCABULARY)
        counts = {one: count((*context, one)) for one in VOCABULARY}
        if not any(counts.values()):
            return lower
        discount, total = discounts[len(context)], sum(counts.values())
        freed = sum(min(discount, number) for number in counts.values())  # what is taken away, as it is taken
        return max(counts[token] - discount, 0) / total + freed / total * lower

    return smoothed(context)


@pytest.mark.parametrize(
    "discounts", [[0.75], [0.0, 0.6], [0.3, 0.6], [0.4, 0.5, 0.9], [1, 1, 1], [0.1, 0.2, 0.3, 0.4]]
)
@pytest.mark.parametrize("boundary", [None, ("<s>", "</s>")])
def test_it_equals_the_formula_written_out(
    discounts: list[float], boundary: tuple[str, str] | None, rng: np.random.Generator, proof: Callable
) -> None:
    order = len(discounts)
    model = KneserNey(counts_by_order(TEXTS, order=order, boundary=boundary), VOCABULARY, discounts=discounts)
    contexts = [one for length in range(order) for one in product(["<s>", *"abcde"], repeat=length)]
    for at in rng.permutation(len(contexts))[:40]:
        ours = model.distribution(contexts[at])
        theirs = [written_out(TEXTS, boundary, discounts, contexts[at], token) for token in VOCABULARY]
        proof(KneserNey, "brute force").close(ours, np.array(theirs), within=WITHIN)


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("discount", [0.1, 0.75])
def test_it_equals_nltk_with_boundaries(order: int, discount: float, proof: Callable) -> None:
    """NLTK ends at the continuations, not at the uniform distribution: D_1 = 0."""
    counts = counts_by_order(TEXTS, order=order, boundary=("<s>", "</s>"))
    theirs = KneserNeyInterpolated(order, discount, vocabulary=Vocabulary([*VOCABULARY, "<s>"]))
    theirs.fit([[gram for counter in counts for gram in counter.elements()]])
    ours = KneserNey(counts, VOCABULARY, discounts=[0.0] + [discount] * (order - 1))
    contexts = {gram[:-1] for counter in counts for gram in counter} | {
        ("e", "a")[: order - 1],
        ("d", "b")[: order - 1],
    }
    for context in contexts:
        expected = [theirs.score(token, list(context)) for token in VOCABULARY]
        proof(KneserNey, "nltk.lm.KneserNeyInterpolated").close(
            ours.distribution(context), np.array(expected), within=WITHIN
        )


def test_without_boundaries_nltk_sums_to_more_than_one_where_the_text_opens() -> None:
    """It gives away a discount for "ab", which nothing precedes, and so was never discounted."""
    counts = counts_by_order(["abcac"], order=3)
    theirs = KneserNeyInterpolated(3, 0.5, vocabulary=Vocabulary("abc"))
    theirs.fit([[gram for counter in counts for gram in counter.elements()]])
    assert sum(theirs.score(token, ["a"]) for token in "abc") == pytest.approx(1.5)
    assert KneserNey(counts, "abc", discounts=[0.0, 0.5, 0.5]).distribution("a").sum() == pytest.approx(1, rel=1e-15)


def test_a_frequent_token_in_one_context_has_little_continuation() -> None:
    counts = counts_by_order([["san", "francisco", "san", "francisco", "the", "glasses", "my", "glasses"]], order=2)
    words = ["san", "francisco", "the", "my", "glasses"]
    # bigrams that end in: san 1, francisco 1, the 1, my 1, glasses 2; of 6 in all
    continuation = KneserNey(counts, words, discounts=[0, 0.5]).distribution()
    assert continuation.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 6, 2 / 6], rel=1e-15)


def test_without_discount_it_is_the_maximum_likelihood_of_the_longest_context_seen() -> None:
    counts = counts_by_order(TEXTS, order=3)
    model, likely = KneserNey(counts, VOCABULARY, discounts=[0, 0, 0]), AddK(counts, VOCABULARY, k=0)
    for context in {gram[:-1] for gram in counts[2]}:
        np.testing.assert_array_equal(model.distribution(context), likely.distribution(context))


def test_order_one_discounts_the_tokens_themselves() -> None:
    model = KneserNey(counts_by_order(["aaab"], order=1), "abcd", discounts=[0.5])
    freed = 0.5 * 2 / 4  # half a count of each of two tokens, shared by four
    assert model.distribution("zzz").tolist() == [2.5 / 4 + freed / 4, 0.5 / 4 + freed / 4, freed / 4, freed / 4]


def test_an_unseen_context_leaves_it_to_the_shorter_one() -> None:
    model = KneserNey(counts_by_order(TEXTS, order=3), VOCABULARY, discounts=[0.5, 0.5, 0.5])
    np.testing.assert_array_equal(model.distribution("ea"), model.distribution("a"))
    np.testing.assert_array_equal(model.distribution("ae"), model.distribution(""))


def test_an_empty_corpus_is_uniform_and_one_token_is_certain() -> None:
    assert KneserNey([{}, {}], "abcd", discounts=[0.5, 0.5]).distribution("a").tolist() == [0.25] * 4
    assert KneserNey(counts_by_order(["aaa"], order=2), "a", discounts=[0.5, 0.75]).distribution("a") == [1.0]


def test_counts_of_zero_are_no_counts() -> None:
    counts = [{}, {("a", "b"): 2, ("b", "b"): 0, ("b", "a"): 1}]
    without = [{}, {("a", "b"): 2, ("b", "a"): 1}]
    for context in ("", "a", "b"):
        ours, theirs = (KneserNey(one, "ab", discounts=[0.5, 0.5]).distribution(context) for one in (counts, without))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("discounts", "quoted"),
    [
        ([0.5], "expected 2, one for each order, got 1"),
        ([0.5, 0.5, 0.5], "expected 2, one for each order, got 3"),
        ([0.5, 1.5], "expected 0 to 1, got 1.5"),
        ([-0.1, 0.5], "expected 0 to 1, got -0.1"),
        ([float("nan"), 0.5], "expected 0 to 1, got nan"),
    ],
)
def test_discounts_must_be_one_for_each_order_and_within_one(discounts: list[float], quoted: str) -> None:
    with pytest.raises(ValueError, match=f"discounts: {quoted}"):
        KneserNey([{}, {}], "ab", discounts=discounts)


def test_counts_are_held_to_their_rules() -> None:
    with pytest.raises(ValueError, match="end in the vocabulary"):
        KneserNey([{("z",): 1}], "ab", discounts=[0.5])
