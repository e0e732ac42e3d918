"""Truncated SVD against scikit-learn's, its signs and its rank; and the whole way from text to neighbours."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]

from reference.embeddings import cooccurrence, nearest_neighbours, ppmi, truncated_svd


@pytest.mark.parametrize(("r", "c", "k"), [(5, 5, 2), (30, 12, 5), (12, 30, 11), (4, 3, 1)])
def test_equals_scikit_learn_signs_included(r: int, c: int, k: int, rng: np.random.Generator, proof: Callable) -> None:
    table = rng.normal(size=(r, c))
    theirs = TruncatedSVD(k, algorithm="arpack", random_state=0)
    vectors = theirs.fit_transform(table)
    u, s, vt = truncated_svd(table, k=k)
    against = proof(truncated_svd, "sklearn TruncatedSVD(algorithm='arpack')")
    against.close(s, theirs.singular_values_, within=1e-13)
    against.close(vt, theirs.components_, within=1e-12)  # rounding over the gap between singular values
    against.close(u * s, vectors, within=1e-12)


@pytest.mark.parametrize(("r", "c"), [(1, 1), (1, 6), (6, 1), (7, 7), (20, 8)])
def test_all_dimensions_rebuild_the_table(r: int, c: int, rng: np.random.Generator, proof: Callable) -> None:
    table = rng.normal(size=(r, c))
    u, s, vt = truncated_svd(table, k=min(r, c))
    proof(truncated_svd, "brute force, U diag(s) Vᵀ = table").close(u @ np.diag(s) @ vt, table, within=1e-14)
    np.testing.assert_allclose(u.T @ u, np.eye(len(s)), atol=1e-14)
    np.testing.assert_allclose(vt @ vt.T, np.eye(len(s)), atol=1e-14)
    assert (np.diff(s) <= 0).all()


def test_what_is_cut_off_is_the_tail_of_the_singular_values(rng: np.random.Generator) -> None:
    table = rng.normal(size=(9, 6))
    values = np.linalg.svd(table, compute_uv=False)
    for k in range(1, 7):
        u, s, vt = truncated_svd(table, k=k)
        assert np.linalg.norm(table - (u * s) @ vt) == pytest.approx(math.sqrt((values[k:] ** 2).sum()), abs=1e-13)


def test_the_largest_entry_of_each_right_vector_is_positive(rng: np.random.Generator) -> None:
    table = rng.normal(size=(8, 6))
    for sign in (1, -1):
        _, _, vt = truncated_svd(sign * table, k=6)
        assert (vt[np.arange(6), np.abs(vt).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(truncated_svd(table, k=6)[2], truncated_svd(-table, k=6)[2], atol=1e-13)


@pytest.mark.parametrize("nudge", [0.0, 1e-14, -1e-14])
def test_entries_of_one_size_tie_and_the_first_decides(nudge: float) -> None:
    table = np.array([[-1.0, 1.0 + nudge], [-1.0, 1.0 + nudge]])
    _, _, vt = truncated_svd(table, k=1)
    np.testing.assert_allclose(vt, [[math.sqrt(0.5), -math.sqrt(0.5)]], atol=1e-12)


def test_more_dimensions_than_the_rank_are_refused(rng: np.random.Generator) -> None:
    table = np.outer(rng.normal(size=6), rng.normal(size=5)) + np.outer(rng.normal(size=6), rng.normal(size=5))
    assert np.linalg.matrix_rank(table) == 2
    assert truncated_svd(table, k=2)[1].shape == (2,)
    for k in (3, 5, 6, 100):
        with pytest.raises(ValueError, match=f"k: expected 1 to 2, the rank of the table, got {k}"):
            truncated_svd(table, k=k)


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_the_rank_does_not_depend_on_the_scale(scale: float) -> None:
    u, s, vt = truncated_svd(np.diag([3.0, 2.0, 1e-10]) * scale, k=3)
    np.testing.assert_allclose(s / scale, [3, 2, 1e-10], rtol=1e-12)
    assert np.abs(u).tolist() == np.abs(vt).tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 2)])
def test_no_rank_no_dimensions(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="k: expected 1 to 0, the rank of the table, got 1"):
        truncated_svd(np.zeros(shape), k=1)


def test_bad_values_are_quoted() -> None:
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"k: expected 1 to 2, the rank of the table, got {k}"):
            truncated_svd(np.eye(2), k=k)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"table: expected finite values, got {bad}"):
            truncated_svd(np.array([[1.0, bad]]), k=1)


def test_words_of_alike_contexts_become_neighbours() -> None:
    """cat and dog drink and eat alike; car and bus drive and stop: four words of each kind never meet directly."""
    cat, dog, car, bus, eats, drinks, drives, stops = range(8)
    text = [
        [cat, eats],
        [dog, eats],
        [cat, drinks],
        [dog, drinks],
        [car, drives],
        [bus, drives],
        [car, stops],
        [bus, stops],
    ]
    u, s, _ = truncated_svd(ppmi(cooccurrence(text, n_tokens=8, window=1)), k=4)
    for word, friend in [(cat, dog), (car, bus), (eats, drinks)]:
        ids, cosines = nearest_neighbours(u * s, (u * s)[word], k=2, exclude=[word])
        assert ids[0] == friend
        assert cosines[0] == pytest.approx(1)
        assert cosines[1] < 0.5
