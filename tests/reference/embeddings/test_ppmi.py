"""PPMI against logarithms one by one, and NLTK's pointwise mutual information."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nltk.metrics import BigramAssocMeasures  # type: ignore[import-untyped]

from reference.embeddings import ppmi

tables = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.integers(0, 9).map(float))


def one_by_one(counts: np.ndarray, alpha: float) -> list[list[float]]:
    """The definition, with joint and marginal probabilities."""
    total = counts.sum()
    context = [column.sum() ** alpha for column in counts.T]
    values = np.zeros(counts.shape)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                ratio = (count / total) / ((row.sum() / total) * (context[j] / sum(context)))
                values[i, j] = max(0.0, math.log(ratio))
    return values.tolist()


@settings(derandomize=True, deadline=None)
@given(tables, st.sampled_from([1, 0.75, 0.5, 1e-9]))
def test_equals_the_definition(counts: np.ndarray, alpha: float) -> None:
    np.testing.assert_allclose(ppmi(counts, smoothing=alpha), one_by_one(counts, alpha), rtol=0, atol=1e-14)


@pytest.mark.parametrize("alpha", [1, 0.75])
def test_is_proven_by_the_definition(alpha: float, rng: np.random.Generator, proof: Callable) -> None:
    counts = rng.poisson(0.7, size=(20, 12)).astype(np.float64)
    proof(ppmi, "brute force").close(ppmi(counts, smoothing=alpha), one_by_one(counts, alpha), within=1e-14)


def test_equals_nltk(rng: np.random.Generator, proof: Callable) -> None:
    counts = rng.poisson(1.5, size=(10, 10)) + 0
    rows, columns, total = counts.sum(1), counts.sum(0), counts.sum()
    expected = np.zeros(counts.shape)
    for i, j in zip(*np.nonzero(counts), strict=True):
        bits = BigramAssocMeasures.pmi(int(counts[i, j]), (int(rows[i]), int(columns[j])), int(total))
        expected[i, j] = max(0.0, bits * math.log(2))  # NLTK speaks in bits
    proof(ppmi, "nltk.metrics.BigramAssocMeasures.pmi").close(ppmi(counts.astype(np.float64)), expected, within=1e-14)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_independence_is_exactly_zero(rows: list[int], columns: list[int]) -> None:
    counts = np.outer(rows, columns).astype(np.float64)
    assert not ppmi(counts).any()


@settings(derandomize=True, deadline=None)
@given(tables)
def test_positive_exactly_where_pairs_meet_more_often_than_by_chance(counts: np.ndarray) -> None:
    total = int(counts.sum())
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            chance = Fraction(int(row.sum()) * int(counts[:, j].sum()), total) if total else 0
            assert (ppmi(counts)[i, j] > 0) == (count > chance)


def test_smoothing_takes_from_rare_columns() -> None:
    counts = np.array([[90.0, 0.0], [9.0, 1.0]])
    plain, smoothed = ppmi(counts), ppmi(counts, smoothing=0.75)
    assert 0 < smoothed[1, 1] < plain[1, 1]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 3)])
def test_nothing_counted_is_zero(shape: tuple[int, int]) -> None:
    values = ppmi(np.zeros(shape))
    assert values.shape == shape
    assert not values.any()


def test_edges() -> None:
    assert ppmi(np.array([[5.0]])).tolist() == [[0.0]]  # one token vocabulary: no surprise
    empty_row = ppmi(np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert empty_row.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    large = ppmi(np.array([[1e200, 0.0], [1e200, 2e200]]))
    np.testing.assert_allclose(large, [[math.log(2), 0], [0, math.log(4 / 3)]], rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("counts", "smoothing", "message"),
    [
        ([[1.0, -1.0]], 1, "counts: expected 0 or more, got -1"),
        ([[1.0, math.nan]], 1, "counts: expected finite values, got nan"),
        ([[1.0, math.inf]], 1, "counts: expected finite values, got inf"),
        ([[1e308, 1e308]], 1, "total of the counts: expected finite values, got inf"),
        ([[1.0]], 0, "smoothing: expected a number above 0, at most 1, got 0"),
        ([[1.0]], 1.01, "at most 1, got 1.01"),
        ([[1.0]], math.nan, "at most 1, got nan"),
    ],
)
def test_bad_values_are_quoted(counts: list[list[float]], smoothing: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ppmi(np.array(counts), smoothing=smoothing)


def test_whole_numbers_are_a_type_error() -> None:
    with pytest.raises(TypeError):
        ppmi(np.array([[1, 2]]))


def test_counts_whose_quotient_leaves_float64_have_their_association() -> None:
    far_apart = ppmi(np.array([[1e300, 0.0], [0.0, 1e-300]]))
    assert far_apart.tolist() == [[0.0, 0.0], [0.0, pytest.approx(600 * math.log(10), rel=1e-14)]]
    assert ppmi(np.array([[1e300, 1e-300]])).tolist() == [[0.0, 0.0]]  # one row: independent
