"""Cosines and neighbours against scikit-learn and sorting by hand; zero vectors, ties, extreme lengths."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import pairwise  # type: ignore[import-untyped]
from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped]
from sklearn.preprocessing import normalize  # type: ignore[import-untyped]

from reference.embeddings import cosine_similarity, nearest_neighbours, unit_rows

whole = arrays(np.float64, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(-2, 2).map(float))


@pytest.mark.parametrize(("r", "c", "m"), [(0, 3, 2), (3, 0, 2), (1, 1, 1), (5, 7, 4), (30, 40, 100)])
def test_cosines_equal_scikit_learn(r: int, c: int, m: int, rng: np.random.Generator, proof: Callable) -> None:
    a, b = rng.normal(size=(r, m)), rng.normal(size=(c, m))
    expected = pairwise.cosine_similarity(a, b) if r and c else np.zeros((r, c))
    against = proof(cosine_similarity, "sklearn.metrics.pairwise.cosine_similarity")
    against.close(cosine_similarity(a, b), expected, within=1e-15)  # all of size 1 or less


def test_unit_rows_equal_scikit_learn(rng: np.random.Generator, proof: Callable) -> None:
    rows = rng.normal(size=(20, 7))
    rows[4] = 0
    proof(unit_rows, "sklearn.preprocessing.normalize").close(unit_rows(rows), normalize(rows), within=1e-15)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-160, 1e160, 1e300])
def test_very_short_and_very_long_vectors(scale: float) -> None:
    rows = np.array([[3.0, 4.0], [0.0, -1.0]])
    np.testing.assert_allclose(unit_rows(rows * scale), [[0.6, 0.8], [0, -1]], rtol=1e-3 if scale == 1e-320 else 1e-15)
    np.testing.assert_allclose(
        cosine_similarity(rows * scale, rows), [[1, -0.8], [-0.8, 1]], rtol=1e-3 if scale == 1e-320 else 1e-15
    )


def test_zero_vectors_have_cosine_zero() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert cosine_similarity(rows, rows)[0].tolist() == [0.0, 0.0]
    assert cosine_similarity(rows, rows)[:, 0].tolist() == [0.0, 0.0]
    assert cosine_similarity(np.zeros((2, 0)), np.zeros((3, 0))).tolist() == [[0.0] * 3] * 2


@settings(derandomize=True, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 20)), elements=st.floats(-1e10, 1e10)))
def test_cosines_are_symmetric_and_at_most_one(rows: np.ndarray) -> None:
    cosines = cosine_similarity(rows, rows)
    np.testing.assert_array_equal(cosines, cosines.T)
    assert (np.abs(cosines) <= 1).all()
    for row, own in zip(rows, np.diag(cosines), strict=True):
        assert own == pytest.approx(1 if row.any() else 0, abs=1e-14)


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**32))
def test_equal_rows_and_multiples_tie_wherever_they_stand(n: int, m: int, seed: int) -> None:
    vector = np.random.default_rng(seed).integers(-1000, 1000, size=m).astype(np.float64)
    rows = vector * np.arange(1.0, n + 1)[:, None]
    query = np.random.default_rng(seed + 1).normal(size=m)
    assert len(set(cosine_similarity(rows, query[None])[:, 0].tolist())) == 1
    assert nearest_neighbours(rows, query, k=n, exclude=[])[0].tolist() == list(range(n))


@settings(derandomize=True, deadline=None)
@given(whole, st.data())
def test_neighbours_equal_sorting_by_cosine_then_id(vectors: np.ndarray, data: st.DataObject) -> None:
    query = np.array(data.draw(st.lists(st.integers(-2, 2), min_size=3, max_size=3)), dtype=np.float64)
    exclude = data.draw(st.lists(st.integers(0, len(vectors) - 1), max_size=4))
    cosines = cosine_similarity(vectors, query[None])[:, 0].tolist()
    ranked = sorted((-cosine, id_) for id_, cosine in enumerate(cosines) if id_ not in exclude)
    k = data.draw(st.integers(0, len(ranked)))
    ids, found = nearest_neighbours(vectors, query, k=k, exclude=exclude)
    assert list(zip((-found).tolist(), ids.tolist(), strict=True)) == ranked[:k]


def test_many_ties_keep_the_order_of_their_ids(rng: np.random.Generator, proof: Callable) -> None:
    vectors, query = rng.integers(-1, 2, size=(2000, 2)).astype(np.float64), np.array([1.0, 0.0])
    cosines = cosine_similarity(vectors, query[None])[:, 0].tolist()
    ranked = sorted(range(2000), key=lambda id_: (-cosines[id_], id_))
    ids, _ = nearest_neighbours(vectors, query, k=2000, exclude=[])
    proof(nearest_neighbours, "brute force, sorted by cosine and id").equal(ids.tolist(), ranked)


def test_neighbours_equal_scikit_learn(rng: np.random.Generator, proof: Callable) -> None:
    vectors, query = rng.normal(size=(50, 6)), rng.normal(size=6)
    distances, theirs = (
        NearestNeighbors(n_neighbors=50, metric="cosine", algorithm="brute").fit(vectors).kneighbors([query])
    )
    ids, cosines = nearest_neighbours(vectors, query, k=50, exclude=[])
    against = proof(nearest_neighbours, "sklearn.neighbors.NearestNeighbors(metric='cosine')")
    against.equal(ids.tolist(), theirs[0].tolist())
    against.close(cosines, 1 - distances[0], within=1e-15)


def test_neighbour_edges() -> None:
    vectors = np.array([[1.0], [-1.0], [0.0], [3.0]])
    assert nearest_neighbours(vectors, np.array([0.0]), k=3, exclude=[])[0].tolist() == [0, 1, 2]  # all tie at 0
    assert nearest_neighbours(vectors, np.array([2.0]), k=4, exclude=[])[0].tolist() == [0, 3, 2, 1]
    assert nearest_neighbours(vectors, np.array([2.0]), k=1, exclude=[0, 0])[0].tolist() == [3]
    assert nearest_neighbours(vectors, np.array([2.0]), k=0, exclude=[])[0].tolist() == []
    assert nearest_neighbours(np.zeros((0, 2)), np.zeros(2), k=0, exclude=[])[0].tolist() == []


def test_bad_values_are_quoted() -> None:
    rows, query = np.eye(3), np.ones(3)
    for call, message in [
        (lambda: unit_rows(rows * math.nan), "vectors: expected finite values, got nan"),
        (lambda: cosine_similarity(rows, np.full((1, 3), math.inf)), "vectors: expected finite values, got inf"),
        (lambda: nearest_neighbours(rows, query * math.nan, k=1, exclude=[]), "expected finite values, got nan"),
        (lambda: nearest_neighbours(rows, query, k=-1, exclude=[]), "k: expected 0 or more, got -1"),
        (lambda: nearest_neighbours(rows, query, k=4, exclude=[]), "k: expected at most 3, .* got 4"),
        (lambda: nearest_neighbours(rows, query, k=3, exclude=[1, 1]), "k: expected at most 2, .* got 3"),
        (lambda: nearest_neighbours(rows, query, k=1, exclude=[3]), "exclude: expected token ids from 0 to 2, got 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_widths_must_agree() -> None:
    with pytest.raises(TypeError):
        cosine_similarity(np.eye(3), np.eye(2))
    with pytest.raises(TypeError):
        nearest_neighbours(np.eye(3), np.ones(2), k=1, exclude=[])
