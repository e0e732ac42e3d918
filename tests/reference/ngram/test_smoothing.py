"""Smoothing against NLTK's MLE and Lidstone models, and its rules at the edges."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.lm import MLE, Lidstone, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import (
    ALPHABET,
    bigram_counts,
    bigram_probabilities,
    ngrams,
    trigram_counts,
    trigram_probability,
)

NAMES = ["léa", "anna", "jean-loïc", "noël", "zoé", "anna", "d'arc", ""]
# a sum of at most 40 terms and one division in float64: 41 · 2^-53 ≈ 5e-15
RELATIVE = 1e-14


def nltk_model(order: int, k: float) -> MLE | Lidstone:
    vocabulary = Vocabulary([*ALPHABET[1:]], unk_label=".")  # 40 symbols: NLTK counts the label as well
    model = Lidstone(k, order, vocabulary) if k else MLE(order, vocabulary)
    model.fit([[tuple(ngram) for ngram in ngrams(name, order=order)] for name in NAMES])
    return model


@pytest.mark.parametrize("k", [0, 0.1, 1, 7.5])
def test_bigram_probabilities_equal_nltk(k: float, proof: Callable) -> None:
    model, ours = nltk_model(2, k), bigram_probabilities(bigram_counts(NAMES), k)
    seen = {symbol for name in NAMES for symbol in f".{name}"}
    for first in seen:
        row, expected = ours[ALPHABET.index(first)], [model.score(second, [first]) for second in ALPHABET]
        np.testing.assert_allclose(row, expected, rtol=RELATIVE, atol=0.0)
        proof(bigram_probabilities, f"nltk.lm.{type(model).__name__}").close(row, expected, within=RELATIVE)


@pytest.mark.parametrize("k", [0, 0.1, 1, 7.5])
def test_trigram_probability_equals_nltk(k: float, proof: Callable) -> None:
    model, counts = nltk_model(3, k), trigram_counts(NAMES)
    contexts = {trigram[:2] for trigram in counts}
    for context in contexts:
        row = [trigram_probability(counts, context, symbol, k) for symbol in ALPHABET]
        expected = [model.score(symbol, list(context)) for symbol in ALPHABET]
        np.testing.assert_allclose(row, expected, rtol=RELATIVE, atol=0.0)
        proof(trigram_probability, f"nltk.lm.{type(model).__name__}").close(row, expected, within=RELATIVE)


@given(st.lists(st.integers(0, 9), min_size=9, max_size=9), st.floats(0, 1e6))
def test_rows_sum_to_one_whatever_the_counts(counts: list[int], k: float) -> None:
    rows = bigram_probabilities(np.array(counts).reshape(3, 3), k)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-14)


def test_what_was_never_counted_is_uniform_with_and_without_smoothing() -> None:
    counts = np.array([[0, 0], [3, 1]])
    np.testing.assert_array_equal(bigram_probabilities(counts, 0), [[0.5, 0.5], [0.75, 0.25]])
    np.testing.assert_array_equal(bigram_probabilities(counts, 2)[0], [0.5, 0.5])
    assert trigram_probability({}, "..", "a", 0) == 1 / 40
    assert trigram_probability({"..a": 5}, ".a", ".", 0) == 1 / 40


def test_a_table_without_symbols_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one symbol"):
        bigram_probabilities(np.zeros((0, 0), dtype=np.int64), 1)


def test_trigram_probabilities_of_a_context_sum_to_one() -> None:
    counts = trigram_counts(NAMES)
    assert math.fsum(trigram_probability(counts, "an", symbol, 0.3) for symbol in ALPHABET) == pytest.approx(
        1, rel=1e-14
    )


@pytest.mark.parametrize("k", [-0.1, math.nan, math.inf])
def test_smoothing_must_be_finite_and_not_negative(k: float) -> None:
    with pytest.raises(ValueError, match=f"k: expected .* got {k}"):
        bigram_probabilities(np.ones((2, 2), dtype=np.int64), k)
    with pytest.raises(ValueError, match=f"k: expected .* got {k}"):
        trigram_probability({}, "..", "a", k)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="got -2"):
        bigram_probabilities(np.array([[1, -2], [0, 0]]), 0)
    with pytest.raises(ValueError, match="got -1"):
        trigram_probability({"..a": -1}, "..", "b", 0)


@pytest.mark.parametrize(
    ("context", "symbol", "named"),
    [(".", "a", "context"), ("..", "ab", "symbol"), ("A.", "a", "context"), ("..", "", "symbol")],
)
def test_context_and_symbol_are_held_to_their_length_and_alphabet(context: str, symbol: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        trigram_probability({}, context, symbol, 1)


@pytest.mark.parametrize("k", [1e308, 10**308, 10**400], ids=["float", "integer", "larger integer"])
def test_smoothing_beyond_float64_is_refused(k: float) -> None:
    """Its total would be infinite, and every probability 0."""
    with pytest.raises(ValueError, match=r"k.*: expected a finite number, 0 or more"):
        bigram_probabilities(np.ones((40, 40), dtype=np.int64), k)
    with pytest.raises(ValueError, match=r"k.*: expected a finite number, 0 or more"):
        trigram_probability({"..a": 1}, "..", "a", k)
