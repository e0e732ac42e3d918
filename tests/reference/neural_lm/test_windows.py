"""Contexts and targets against NLTK's padded n-grams and the oracle's own names."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.util import ngrams as nltk_ngrams  # type: ignore[import-untyped]

from reference.neural_lm import context_windows
from reference.ngram import ALPHABET, ngrams

sequences = st.lists(st.lists(st.integers(0, 5), max_size=9), max_size=5)


def rows(sequences: list[list[int]], n: int, boundary: int | None, n_tokens: int = 6) -> list[tuple[int, ...]]:
    contexts, targets = context_windows(sequences, n_context=n, n_tokens=n_tokens, boundary=boundary)
    assert contexts.shape == (len(targets), n)
    assert contexts.dtype == targets.dtype == torch.int64
    return [(*context, target) for context, target in zip(contexts.tolist(), targets.tolist(), strict=True)]


@settings(derandomize=True, deadline=None)
@given(sequences, st.integers(1, 4))
def test_windows_without_boundaries_are_the_ngrams_within(sequences: list[list[int]], n: int) -> None:
    assert rows(sequences, n, None) == [gram for one in sequences for gram in nltk_ngrams(one, n + 1)]


@settings(derandomize=True, deadline=None)
@given(sequences, st.integers(1, 4), st.integers(0, 5))
def test_with_boundaries_every_token_and_every_end_is_a_target_once(
    sequences: list[list[int]], n: int, boundary: int
) -> None:
    found = rows(sequences, n, boundary)
    assert found == [gram for one in sequences for gram in nltk_ngrams([boundary] * n + one + [boundary], n + 1)]
    assert [row[-1] for row in found] == [token for one in sequences for token in [*one, boundary]]


def test_windows_equal_nltk(proof: Callable) -> None:
    sequence = [3, 1, 4, 1, 5]
    proof(context_windows, "nltk.util.ngrams").equal(rows([sequence], 2, None), list(nltk_ngrams(sequence, 3)))
    padded = nltk_ngrams(sequence, 3, pad_left=True, left_pad_symbol=0)
    proof(context_windows, "nltk.util.ngrams").equal(rows([sequence], 2, 0)[:-1], list(padded))


def test_windows_of_names_are_their_trigrams(proof: Callable) -> None:
    names = ["léa", "", "zoé"]
    expected = [tuple(map(ALPHABET.index, gram)) for name in names for gram in ngrams(name, order=3)]
    ids = [[ALPHABET.index(symbol) for symbol in name] for name in names]
    proof(context_windows, "reference.ngram.ngrams").equal(rows(ids, 2, 0, n_tokens=40), expected)


@pytest.mark.parametrize(
    ("given_sequences", "n", "boundary", "expected"),
    [
        ([], 2, None, []),
        ([], 2, 0, []),
        ([[]], 2, None, []),
        ([[]], 2, 0, [(0, 0, 0)]),
        ([[1, 2]], 2, None, []),  # as long as the context: nothing follows it
        ([[1, 2, 3]], 2, None, [(1, 2, 3)]),
        ([[1], [2]], 1, None, []),  # never across sequences
        ([[0, 1]], 1, 0, [(0, 0), (0, 1), (1, 0)]),  # the boundary's id inside is a token like any other
    ],
)
def test_edges(given_sequences: list[list[int]], n: int, boundary: int | None, expected: list[tuple[int, ...]]) -> None:
    assert rows(given_sequences, n, boundary) == expected


def test_one_token_vocabulary_and_a_long_sequence() -> None:
    assert rows([[0] * 5000], 3, 0, n_tokens=1) == [(0, 0, 0, 0)] * 5001


def test_the_sequences_are_left_alone() -> None:
    given_sequences = [[1, 2], [3]]
    context_windows(given_sequences, n_context=2, n_tokens=6, boundary=0)
    assert given_sequences == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("given_sequences", "n", "boundary", "message"),
    [
        ([[0]], 0, None, "n_context: expected 1 or more, got 0"),
        ([[0, 6]], 1, None, "sequences: expected token ids from 0 to 5, got 6"),
        ([[0, 2**70]], 1, None, f"from 0 to 5, got {2**70}"),
        ([[0], [-1]], 1, 0, "sequences: expected token ids from 0 to 5, got -1"),
        ([[0]], 1, 6, "boundary: expected token ids from 0 to 5, got 6"),
    ],
)
def test_bad_values_are_quoted(given_sequences: list[list[int]], n: int, boundary: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows(given_sequences, n, boundary)


def test_every_entry_has_to_be_an_integer() -> None:
    with pytest.raises(TypeError):
        rows([[0] * 50 + [0.5] + [0] * 50], 1, 0)  # type: ignore[list-item]
    with pytest.raises(TypeError):
        rows("abc", 1, 0)  # type: ignore[arg-type]


@pytest.mark.gpu
def test_windows_lie_where_they_are_asked_for() -> None:
    contexts, targets = context_windows([[1, 2]], n_context=1, n_tokens=3, boundary=0, device="cuda")
    assert contexts.device.type == targets.device.type == "cuda"
    assert contexts.tolist() == [[0], [1], [2]]
