"""Co-occurrence against a search of every pair and scikit-learn's document counts."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]

from reference.embeddings import cooccurrence, document_term_counts

V = 5
sequences = st.lists(st.lists(st.integers(0, V - 1), max_size=8), max_size=4)


def searched(sequences: list[list[int]], window: int, symmetric: bool, weighting: str) -> list[list[float]]:
    """Every ordered pair of positions looked at, weights added up as fractions."""
    counts = [[Fraction(0)] * V for _ in range(V)]
    for sequence in sequences:
        for p, first in enumerate(sequence):
            for q, second in enumerate(sequence):
                distance = abs(q - p) if symmetric else q - p
                if 0 < distance <= window:
                    counts[first][second] += Fraction(1, distance) if weighting == "harmonic" else 1
    return [[float(count) for count in row] for row in counts]


def vectorised(documents: list[list[int]], n_tokens: int) -> np.ndarray:
    vectorizer = CountVectorizer(vocabulary=list(map(str, range(n_tokens))), token_pattern=r"\d+")
    counts: np.ndarray = vectorizer.fit_transform([" ".join(map(str, one)) for one in documents]).toarray()
    return counts


@settings(derandomize=True, deadline=None)
@given(sequences, st.integers(1, 9), st.booleans(), st.sampled_from(["flat", "harmonic"]))
def test_cooccurrence_equals_a_search(sequences: list[list[int]], window: int, symmetric: bool, weighting: str) -> None:
    ours = cooccurrence(sequences, n_tokens=V, window=window, symmetric=symmetric, weighting=weighting)  # type: ignore[arg-type]
    np.testing.assert_allclose(ours, searched(sequences, window, symmetric, weighting), rtol=1e-14, atol=0)
    if weighting == "flat":
        np.testing.assert_array_equal(ours, searched(sequences, window, symmetric, weighting))
    if symmetric:
        np.testing.assert_array_equal(ours, ours.T)


@pytest.mark.parametrize("weighting", ["flat", "harmonic"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_cooccurrence_is_proven_by_search(
    weighting: str, symmetric: bool, rng: np.random.Generator, proof: Callable
) -> None:
    drawn = [rng.integers(0, V, size=length).tolist() for length in (0, 1, 2, 30, 60)]
    for window in (1, 2, 5, 100):
        ours = cooccurrence(drawn, n_tokens=V, window=window, symmetric=symmetric, weighting=weighting)  # type: ignore[arg-type]
        against = proof(cooccurrence, "brute force, exact fractions")
        against.close(
            ours, searched(drawn, window, symmetric, weighting), within=1e-15 if weighting == "flat" else 1e-14
        )


def test_a_window_as_long_as_the_text_counts_pairs_within_documents(rng: np.random.Generator, proof: Callable) -> None:
    documents = [rng.integers(0, V, size=length).tolist() for length in (0, 1, 7, 12)]
    counts = vectorised(documents, V)
    expected = counts.T @ counts - np.diag(counts.sum(axis=0))
    ours = cooccurrence(documents, n_tokens=V, window=12)
    proof(cooccurrence, "sklearn CountVectorizer, XᵀX less the diagonal").close(ours, expected, within=0)


def test_document_term_counts_equal_scikit_learn(rng: np.random.Generator, proof: Callable) -> None:
    documents = [rng.integers(0, V, size=length).tolist() for length in (0, 1, 7, 50)]
    ours = document_term_counts(documents, n_tokens=V)
    proof(document_term_counts, "sklearn CountVectorizer").equal(ours.tolist(), vectorised(documents, V).tolist())
    assert ours.dtype == np.int64


@pytest.mark.parametrize(
    ("given_sequences", "expected"),
    [
        ([], [[0, 0], [0, 0]]),
        ([[], [0], [1]], [[0, 0], [0, 0]]),  # never across sequences
        ([[0, 0]], [[2, 0], [0, 0]]),  # each sees the other
        ([[0, 1]], [[0, 1], [1, 0]]),
    ],
)
def test_edges(given_sequences: list[list[int]], expected: list[list[int]]) -> None:
    assert cooccurrence(given_sequences, n_tokens=2, window=10**9).tolist() == expected


def test_one_token_vocabulary_and_no_documents() -> None:
    assert cooccurrence([[0] * 1000], n_tokens=1, window=1).tolist() == [[2 * 999]]
    assert document_term_counts([[0] * 1000], n_tokens=1).tolist() == [[1000]]
    assert document_term_counts([], n_tokens=3).shape == (0, 3)


def test_bad_values_are_quoted() -> None:
    for call, message in [
        (lambda: cooccurrence([[0]], n_tokens=0, window=1), "n_tokens: expected 1 or more, got 0"),
        (lambda: cooccurrence([[0]], n_tokens=1, window=0), "window: expected 1 or more, got 0"),
        (lambda: cooccurrence([[0, 2]], n_tokens=2, window=1), "sequences: expected token ids from 0 to 1, got 2"),
        (lambda: cooccurrence([[0, -1]], n_tokens=2, window=1), "sequences: expected token ids from 0 to 1, got -1"),
        (lambda: document_term_counts([[]], n_tokens=0), "n_tokens: expected 1 or more, got 0"),
        (lambda: document_term_counts([[7]], n_tokens=7), "documents: expected token ids from 0 to 6, got 7"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_wrong_types() -> None:
    with pytest.raises(TypeError):
        cooccurrence([[0]], n_tokens=1, window=1, weighting="linear")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        document_term_counts([[0] * 50 + [0.5] + [0] * 50], n_tokens=1)  # type: ignore[list-item]
