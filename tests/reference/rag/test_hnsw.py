"""HNSW: the fast twin link for link equal to the one that is read, both exact when they may be, recall beside faiss."""

from math import inf, nan

import faiss
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from reference.rag import HNSW, FastHNSW, draw_levels, select_neighbours

RECALL_APART = 0.01  # the most by which recall may differ from faiss, either way
INDICES = pytest.mark.parametrize("index_of", [HNSW, FastHNSW])


def build(kind, vectors: np.ndarray, *, m: int = 4, ef_construction: int = 20, seed: int = 7):
    return kind(vectors, m=m, ef_construction=ef_construction, rng=np.random.default_rng(seed))


def nearest(queries: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    """The true neighbours; ties: the lowest index."""
    return np.argsort(cdist(queries, vectors, "sqeuclidean"), axis=1, kind="stable")[:, :k]


def scattered(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=(n, 5))


def tied(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points of a small grid, copies among them: distances are whole numbers, exact however they are summed."""
    return rng.integers(0, 5, size=(n, 3)).astype(np.float64)


@pytest.mark.parametrize("points", [scattered, tied])
@pytest.mark.parametrize("n", [0, 1, 2, 9, 250])
@pytest.mark.parametrize(("m", "ef_construction"), [(2, 1), (2, 10), (4, 3), (5, 30)])
def test_the_fast_twin_has_the_same_graph_and_answers(points, n, m, ef_construction, rng, proof) -> None:
    vectors = points(rng, n)
    obvious, fast = (build(kind, vectors, m=m, ef_construction=ef_construction) for kind in (HNSW, FastHNSW))
    proof(FastHNSW, "HNSW, link for link").equal(fast.graph, obvious.graph)
    queries = points(rng, 20)
    for k, ef in ((min(n, 1), 1), (min(n, 3), 8), (n, max(n, 1))):
        for ours, theirs in zip(fast.search(queries, k, ef=ef), obvious.search(queries, k, ef=ef), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)


@pytest.mark.slow
def test_recall_on_ten_thousand_vectors_is_that_of_faiss(rng, proof) -> None:
    vectors, queries = rng.normal(size=(10_000, 16)), rng.normal(size=(500, 16))
    faiss.omp_set_num_threads(1)  # with more, its graph depends on which thread comes first
    authority = faiss.IndexHNSWFlat(16, 16)
    authority.hnsw.efConstruction = 40
    authority.add(vectors.astype(np.float32))
    index = build(FastHNSW, vectors, m=16, ef_construction=40)
    truth = nearest(queries, vectors, 10)
    recalls = []
    for ef in (32, 64, 128):
        authority.hnsw.efSearch = ef
        _, theirs = authority.search(queries.astype(np.float32), 10)
        ours, _ = index.search(queries, 10, ef=ef)
        recalls.append((recall(ours, truth), recall(theirs, truth)))
    ours, theirs = np.array(recalls).T
    proof(FastHNSW, "faiss IndexHNSWFlat (recall@10 of 10,000 vectors)").close(ours, theirs, within=RECALL_APART)
    assert ours[-1] > 0.99


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len({*row} & {*true}) / len(true) for row, true in zip(found, truth, strict=True)]))


@INDICES
@pytest.mark.parametrize("n", [1, 3, 40, 200])
def test_search_that_keeps_everything_is_exact(index_of, n: int, rng, proof) -> None:
    vectors, queries = scattered(rng, n), scattered(rng, 10)
    indices, distances = build(index_of, vectors).search(queries, n, ef=n)
    expected = nearest(queries, vectors, n)
    proof(index_of, "brute force, ef = N").equal(indices.tolist(), expected.tolist())
    truth = np.take_along_axis(cdist(queries, vectors, "sqeuclidean"), expected, axis=1)
    proof(index_of, "scipy cdist").close(distances, truth, within=1e-13)


@INDICES
def test_the_graph_is_what_was_promised(index_of) -> None:
    vectors, m = scattered(np.random.default_rng(1), 300), 3
    index = build(index_of, vectors, m=m)
    levels = draw_levels(300, m=m, rng=np.random.default_rng(7))
    assert [sorted(level) for level in index.graph] == [
        np.flatnonzero(levels >= level).tolist() for level in range(levels.max() + 1)
    ]
    for level, links in enumerate(index.graph):
        for node, others in links.items():
            assert len(set(others)) == len(others) <= (m if level else 2 * m)
            assert node not in others
            assert all(other in links for other in others)
    assert max(len(others) for others in index.graph[0].values()) == 2 * m
    assert max(len(others) for others in index.graph[1].values()) == m


@INDICES
def test_ties_go_to_the_lowest_index(index_of) -> None:
    vectors = np.array([[1.0], [-1.0], [1.0], [-1.0], [3.0]])
    indices, _ = build(index_of, vectors).search(np.array([[0.0]]), 4, ef=5)
    assert indices.tolist() == [[0, 1, 2, 3]]


@INDICES
def test_where_the_graph_leads_no_further_there_is_no_index(index_of) -> None:
    indices, distances = build(index_of, np.zeros((50, 2)), m=2).search(np.zeros((1, 2)), 50, ef=50)
    found = indices[0] >= 0
    assert 0 < found.sum() < 50
    assert np.array_equal(found, distances[0] == 0)
    assert (distances[0][~found] == inf).all()
    assert np.array_equal(np.sort(~found), ~found)  # the rest stands at the end


@INDICES
def test_bad_input_is_refused(index_of) -> None:
    vectors = np.zeros((3, 2))
    with pytest.raises(ValueError, match="vectors: expected finite values, got nan"):
        build(index_of, np.array([[nan]]))
    with pytest.raises(ValueError, match="m: expected 2 or more, got 1"):
        build(index_of, vectors, m=1)
    with pytest.raises(ValueError, match="ef_construction: expected 1 or more, got 0"):
        build(index_of, vectors, ef_construction=0)
    index = build(index_of, vectors)
    with pytest.raises(ValueError, match="k: expected 0 to 3, the number of documents, got 4"):
        index.search(vectors, 4, ef=9)
    with pytest.raises(ValueError, match="ef: expected 3 or more, got 2"):
        index.search(vectors, 3, ef=2)
    with pytest.raises(ValueError, match="ef: expected 1 or more, got 0"):
        index.search(vectors, 0, ef=0)
    with pytest.raises(ValueError, match="queries: expected finite values, got inf"):
        index.search(np.array([[0.0, inf]]), 1, ef=1)
    with pytest.raises(TypeError):
        index.search(np.zeros(2), 1, ef=1)
    assert index.search(vectors, 0, ef=1)[0].shape == (3, 0)


@INDICES
def test_queries_of_another_width_are_refused(index_of) -> None:
    with pytest.raises(ValueError, match="queries: expected width D = 2, got 3"):
        build(index_of, np.zeros((3, 2))).search(np.zeros((1, 3)), 1, ef=1)


@INDICES
def test_the_index_keeps_its_own_vectors(index_of, rng) -> None:
    vectors = scattered(rng, 30)
    index = build(index_of, vectors)
    before = index.search(np.ones((1, 5)), 5, ef=10)[0].tolist()
    vectors[:] = 0
    assert index.search(np.ones((1, 5)), 5, ef=10)[0].tolist() == before


@pytest.mark.parametrize("m", [2, 3, 16])
def test_levels_equal_repeated_division(m: int, proof) -> None:
    uniform = 1 - np.random.default_rng(5).random(2000)
    expected = []
    for value in uniform.tolist():
        level = 0
        while value <= m ** -(level + 1):
            level += 1
        expected.append(level)
    levels = draw_levels(2000, m=m, rng=np.random.default_rng(5)).tolist()
    proof(draw_levels, "brute force").equal(levels, expected)


def test_levels_at_the_edges(rng) -> None:
    assert draw_levels(0, m=2, rng=rng).shape == (0,)
    share = (draw_levels(100_000, m=4, rng=rng) >= 1).mean()
    assert share == pytest.approx(1 / 4, abs=5 * (0.25 * 0.75 / 100_000) ** 0.5)  # five standard errors
    with pytest.raises(ValueError, match="n: expected 0 or more, got -1"):
        draw_levels(-1, m=2, rng=rng)
    with pytest.raises(ValueError, match="m: expected 2 or more, got 1"):
        draw_levels(1, m=1, rng=rng)


@pytest.mark.parametrize("points", [scattered, tied])
@pytest.mark.parametrize("m", [1, 3, 40])
def test_neighbours_equal_brute_force(points, m: int, rng, proof) -> None:
    vectors = points(rng, 40)
    candidates = rng.permutation(40)[:30].tolist()
    point = points(rng, 1)[0]
    apart, away = cdist(vectors, vectors, "sqeuclidean"), cdist([point], vectors, "sqeuclidean")[0]
    expected: list[int] = []
    for candidate in sorted(candidates, key=lambda index: (away[index], index)):
        if not (apart[candidate, expected] < away[candidate]).any():
            expected.append(candidate)
    proof(select_neighbours, "scipy cdist").equal(select_neighbours(point, candidates, vectors, m), expected[:m])
