"""Maximum likelihood and add-k against NLTK's MLE, Laplace and Lidstone, and the tables of names."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from nltk.lm import MLE, Laplace, Lidstone, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import ALPHABET, AddK, bigram_counts, bigram_probabilities, counts_by_order, transition_array

TEXTS = [
    ["the", "cat", "saw", "the", "dog"],
    ["the", "dog", "saw", "the", "cat", "that", "saw", "the", "dog"],
    [],
    ["cat"],
]
WORDS = ["and", "cat", "dog", "saw", "that", "the", "<s>", "</s>", "<UNK>"]  # NLTK's vocabulary has the last one anyway
CHARACTERS = ["ababcaab", "c", "", "bca"]
# one addition, one product and one division in float64, twice: 8 · 2^-53 ≈ 1e-15
WITHIN = 2e-15


def nltk_model(model: MLE, counts: list) -> MLE:
    model.fit([[gram for counter in counts for gram in counter.elements()]])
    return model


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("k", [0, 1, 0.25])
@pytest.mark.parametrize(("texts", "vocabulary"), [(TEXTS, WORDS), (CHARACTERS, [*"abcd", "<s>", "</s>", "<UNK>"])])
def test_it_equals_nltk_after_every_context_that_occurs(
    order: int, k: float, texts: list[Sequence[str]], vocabulary: list[str], proof: Callable
) -> None:
    counts = counts_by_order(texts, order=order, boundary=("<s>", "</s>"))
    known = Vocabulary(vocabulary[:-1])  # adds <UNK> itself
    kind, name = {0: (MLE, "MLE"), 1: (Laplace, "Laplace")}.get(k, (Lidstone, "Lidstone"))
    theirs = nltk_model(kind(*([k] if kind is Lidstone else []), order, known), counts)
    ours = AddK(counts, vocabulary, k=k)
    for context in {gram[:-1] for counter in counts for gram in counter}:  # the short ones of lower orders among them
        expected = [theirs.score(word, list(context)) for word in vocabulary]
        proof(AddK, f"nltk.lm.{name}").close(ours.distribution(context), np.array(expected), within=WITHIN)


def test_bigrams_of_names_equal_their_table(proof: Callable) -> None:
    names = ["léa", "anna", "", "noël"]
    for k in (0, 0.3):
        model = AddK(counts_by_order(names, order=2, boundary=(".", ".")), ALPHABET, k=k)
        table = bigram_probabilities(bigram_counts(names), k)
        proof(AddK, "bigram_probabilities").close(transition_array(model), table, within=1e-15)


def test_what_was_never_counted_is_uniform() -> None:
    model = AddK(counts_by_order(["ab"], order=2), "abc", k=0)
    np.testing.assert_array_equal(model.distribution("b"), np.full(3, 1 / 3))
    np.testing.assert_array_equal(model.distribution("?"), np.full(3, 1 / 3))
    np.testing.assert_array_equal(model.distribution(), [0.5, 0.5, 0.0])
    for k in (0, 2.5):
        empty = AddK(counts_by_order([], order=3), "abcd", k=k)
        np.testing.assert_array_equal(empty.distribution("ab"), np.full(4, 1 / 4))


def test_counts_of_zero_are_no_counts() -> None:
    assert AddK([{("a",): 0, ("b",): 0}], "ab", k=0).distribution().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("k", [-0.1, math.nan, math.inf])
def test_k_must_be_finite_and_not_negative(k: float) -> None:
    with pytest.raises(ValueError, match=f"k: expected .* got {k}"):
        AddK([{}], "ab", k=k)


def test_k_times_the_vocabulary_must_be_finite() -> None:
    with pytest.raises(ValueError, match="k · V: expected a finite number, 0 or more, got inf"):
        AddK([{}], "ab", k=1e308)
    with pytest.raises(ValueError, match="k · V: expected a finite number"):
        AddK([{}], "ab", k=10**308)
    with pytest.raises(ValueError, match="k: expected a finite number"):
        AddK([{}], "ab", k=10**400)


@pytest.mark.parametrize(
    ("counts", "quoted"),
    [
        ([], "1-grams at least, got none"),
        ([{("a", "b"): 1}], r"expected 1-grams in entry 0, got \('a', 'b'\)"),
        ([{}, {("a",): 1}], r"expected 2-grams in entry 1, got \('a',\)"),
        ([{("z",): 1}], r"end in the vocabulary, got \('z',\)"),
        ([{}, {("b", "z"): 1}], r"end in the vocabulary, got \('b', 'z'\)"),
        ([{("a",): -1}], r"expected 0 or more, got -1 for \('a',\)"),
    ],
)
def test_counts_must_fit_the_order_and_the_vocabulary(counts: list, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        AddK(counts, "ab", k=1)


def test_counts_may_begin_outside_the_vocabulary() -> None:
    model = AddK([{}, {("<s>", "a"): 3, ("<s>", "b"): 1}], "ab", k=0)
    assert model.distribution(["<s>"]).tolist() == [0.75, 0.25]
