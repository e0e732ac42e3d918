"""Jelinek-Mercer smoothing against a weighted mean of counted shares, written out, and its rules at the edges."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from nltk.lm import MLE, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import AddK, Interpolated, counts_by_order

TEXTS = ["abacabad", "bca", "", "dd"]
# n + 1 products and additions and n divisions in float64 for n up to 4: 15 · 2^-53 ≈ 2e-15
WITHIN = 2e-15


def share(windows: Sequence[tuple[str, ...]], context: tuple[str, ...], token: str) -> float | None:
    """How often `token` follows `context` among the windows; None where nothing does."""
    after = [window[-1] for window in windows if window[:-1] == context]
    return after.count(token) / len(after) if after else None


def written_out(texts: list[str], weights: list[float], context: str, token: str) -> float:
    order, mean = len(weights) - 1, weights[0] / 4
    for m, weight in enumerate(weights[1:], 1):
        found = None
        for shorter in range(min(m, len(context) + 1), 0, -1):  # the longest that was seen
            windows = [(*text[i : i + shorter],) for text in texts for i in range(len(text) - shorter + 1)]
            found = share(windows, (*context[len(context) - shorter + 1 :],), token)
            if found is not None:
                break
        mean += weight * (1 / 4 if found is None else found)
    assert order >= 1
    return mean


@pytest.mark.parametrize(
    "weights", [[0, 1], [0.3, 0.7], [0.1, 0.4, 0.5], [0, 0, 1], [0.05, 0.15, 0.3, 0.5], [0, 0.25, 0, 0.25, 0.5]]
)
@pytest.mark.parametrize("texts", [TEXTS, ["aab"], []])
def test_it_equals_the_formula_written_out(texts: list[str], weights: list[float], proof: Callable) -> None:
    order = len(weights) - 1
    model = Interpolated(counts_by_order(texts, order=order), "abcd", weights=weights)
    contexts = ["".join(context) for length in range(order) for context in product("abcdz", repeat=length)]
    ours = np.array([model.distribution(context) for context in contexts])
    theirs = [[written_out(texts, weights, context, token) for token in "abcd"] for context in contexts]
    proof(Interpolated, "brute force").close(ours, np.array(theirs), within=WITHIN)


def test_it_equals_the_mean_of_nltk_models(proof: Callable) -> None:
    weights, vocabulary = [0.1, 0.2, 0.3, 0.4], ["a", "b", "c", "d", "<s>", "</s>", "<UNK>"]
    counts = counts_by_order(TEXTS, order=3, boundary=("<s>", "</s>"))
    theirs = MLE(3, Vocabulary(vocabulary))
    theirs.fit([[gram for counter in counts for gram in counter.elements()]])
    ours = Interpolated(counts, vocabulary, weights=weights)
    for context in {gram[:-1] for gram in counts[2]}:
        orders = [[theirs.score(token, list(context[start:])) for token in vocabulary] for start in (2, 1, 0)]
        mean = weights[0] / len(vocabulary) + np.array(weights[1:]) @ np.array(orders)
        proof(Interpolated, "nltk.lm.MLE, weighted").close(ours.distribution(context), mean, within=WITHIN)


def test_all_weight_on_the_highest_order_is_maximum_likelihood_where_the_context_is_seen() -> None:
    counts = counts_by_order(TEXTS, order=2)
    model, likely = Interpolated(counts, "abcd", weights=[0, 0, 1]), AddK(counts, "abcd", k=0)
    for context in "abcd":
        np.testing.assert_array_equal(model.distribution(context), likely.distribution(context))


def test_the_weight_of_an_unseen_or_missing_context_goes_to_the_next_shorter_one() -> None:
    model = Interpolated(counts_by_order(["aab"], order=3), "ab", weights=[0, 0, 0.5, 0.5])
    singles = [2 / 3, 1 / 3]
    assert model.distribution("bb").tolist() == pytest.approx(singles, rel=1e-15)
    assert model.distribution("").tolist() == pytest.approx(singles, rel=1e-15)
    assert model.distribution("ba").tolist() == [0.5, 0.5]  # "ba" is unseen, "a" is followed by "a" and by "b"


def test_an_empty_corpus_is_uniform_and_one_token_is_certain() -> None:
    assert Interpolated([{}, {}], "abcd", weights=[0, 0.5, 0.5]).distribution("a").tolist() == [0.25] * 4
    assert Interpolated(counts_by_order(["aaa"], order=2), "a", weights=[0.5, 0.25, 0.25]).distribution("a") == [1.0]


@pytest.mark.parametrize(
    ("weights", "quoted"),
    [
        ([0.5, 0.5], "expected 3, for orders 0 to 2, got 2"),
        ([0.25, 0.25, 0.25, 0.25], "expected 3, for orders 0 to 2, got 4"),
        ([0.5, 0.5, 0.5], "sum to 1, got a sum of 1.5"),
        ([0.2, 0.2, 0.2], "sum to 1, got a sum of 0.6"),
        ([-0.5, 0.5, 1.0], "0 or more, got -0.5"),
        ([float("nan"), 0.5, 0.5], "got nan"),
    ],
)
def test_weights_must_be_one_for_each_order_and_sum_to_one(weights: list[float], quoted: str) -> None:
    with pytest.raises(ValueError, match=f"weights: .*{quoted}"):
        Interpolated([{}, {}], "ab", weights=weights)


def test_counts_are_held_to_their_rules() -> None:
    with pytest.raises(ValueError, match="end in the vocabulary"):
        Interpolated([{("z",): 1}], "ab", weights=[0, 1])
