"""BM25, exact search and fusion: against bm25s, faiss, exact fractions and plain sorting."""

from fractions import Fraction
from math import inf, nan

import bm25s
import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.rag import BM25, bm25_scores, inner_product_search, reciprocal_rank_fusion, top_k

DEFAULT = settings(derandomize=True, deadline=None, max_examples=100)


def corpus(rng: np.random.Generator, n_documents: int, n_terms: int = 30) -> list[list[str]]:
    """Documents of very different lengths, empty ones among them, with frequent and rare terms."""
    lengths = rng.integers(0, 40, size=n_documents)
    lengths[:: max(n_documents // 3, 1)] = 0
    return [[f"t{term}" for term in rng.zipf(1.3, size=n) % n_terms] for n in lengths]


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (1.5, 0.0), (0.9, 0.4), (2.0, 1.0)])
def test_bm25_equals_bm25s(k1: float, b: float, rng, proof) -> None:
    documents = [*corpus(rng, 60), ["t0"]]
    authority = bm25s.BM25(k1=k1, b=b, method="lucene", dtype="float64")
    authority.index(documents, show_progress=False)
    index = BM25(documents, k1=k1, b=b)
    for query in (["t1"], ["t3", "t1", "t3"], ["t2", "unknown"], [f"t{i}" for i in range(30)]):
        expected = authority.get_scores(query)
        proof(BM25, 'bm25s BM25(method="lucene")').close(index.scores(query), expected, within=1e-13)
        ours = bm25_scores(query, documents, k1=k1, b=b)
        proof(bm25_scores, 'bm25s BM25(method="lucene")').close(ours, expected, within=1e-13)


TERMS = st.lists(st.sampled_from("abc"), max_size=6)


@DEFAULT
@given(TERMS, st.lists(TERMS, max_size=6), st.floats(0, 3), st.floats(0, 1))
def test_the_index_equals_the_formula(query, documents, k1, b) -> None:
    scores = BM25(documents, k1=k1, b=b).scores(query)
    np.testing.assert_allclose(scores, bm25_scores(query, documents, k1=k1, b=b), rtol=1e-14, atol=0)


def test_bm25_at_the_edges() -> None:
    assert BM25([]).scores(["a"]).tolist() == []
    assert BM25([]).search(["a"], k=0)[0].tolist() == []
    assert BM25([[], []]).scores(["a"]).tolist() == [0.0, 0.0]
    assert BM25([["a"]]).scores([]).tolist() == [0.0]
    assert BM25([["a"]], k1=0).scores(["a"])[0] == pytest.approx(np.log(1 + 0.5 / 1.5))  # present: exactly the idf
    assert BM25([[1, 2], [2]]).search([1], k=1)[0].tolist() == [0]  # token ids


def test_bm25_ties_go_to_the_lowest_index() -> None:
    indices, scores = BM25([["b"], ["a"], ["c"], ["a"], []]).search(["a"], k=5)
    assert indices.tolist() == [1, 3, 0, 2, 4]
    assert scores[0] == scores[1] > scores[2] == scores[4] == 0


def test_bm25_refuses_what_has_no_meaning() -> None:
    for bad in (-0.1, nan, inf):
        with pytest.raises(ValueError, match="k1: expected a finite number, 0 or more"):
            BM25([["a"]], k1=bad)
    for bad in (-0.1, 1.1, nan):
        with pytest.raises(ValueError, match="b: expected a number from 0 to 1"):
            bm25_scores(["a"], [["a"]], b=bad)
    with pytest.raises(ValueError, match="k: expected 0 to 1, the number of documents, got 2"):
        BM25([["a"]]).search(["a"], k=2)


@DEFAULT
@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, -inf, 2.5]), max_size=12), st.integers(0, 12))
def test_top_k_equals_sorting(scores: list[float], k: int) -> None:
    k = min(k, len(scores))
    expected = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[:k]
    assert top_k(np.array(scores, dtype=np.float64), k).tolist() == expected


def test_top_k_meets_its_authority(rng, proof) -> None:
    scores = rng.integers(0, 5, size=(3, 40)).astype(np.float64)
    expected = [sorted(range(40), key=lambda index: (-row[index], index))[:17] for row in scores]
    proof(top_k, "sorted").equal(top_k(scores, 17).tolist(), expected)


@pytest.mark.parametrize("bad", [nan, inf])
def test_top_k_refuses_what_is_no_score(bad: float) -> None:
    with pytest.raises(ValueError, match=f"scores: expected finite values or -inf, got {bad}"):
        top_k(np.array([0.0, bad]), 1)
    with pytest.raises(ValueError, match="k: expected 0 to 1, the number of documents, got -1"):
        top_k(np.zeros(1), -1)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 7), (500, 20)])
def test_exact_search_equals_faiss(n: int, k: int, rng, proof) -> None:
    vectors, queries = (rng.normal(size=(rows, 24)).astype(np.float32) for rows in (n, 9))
    authority = faiss.IndexFlatIP(24)
    authority.add(vectors)
    expected_scores, expected = authority.search(queries, k)
    indices, scores = inner_product_search(queries.astype(np.float64), vectors.astype(np.float64), k)
    proof(inner_product_search, "faiss IndexFlatIP").equal(indices.tolist(), expected.tolist())
    # faiss sums 24 products in float32: 24 · 2^-24 of their size
    proof(inner_product_search, "faiss IndexFlatIP (float32)").close(scores, expected_scores, within=2e-6)


def test_exact_search_ties_go_to_the_lowest_index(rng, proof) -> None:
    vectors = rng.normal(size=(7, 13))[rng.integers(0, 7, size=101)]  # copies, at all alignments
    queries = rng.normal(size=(5, 13))
    indices, _ = inner_product_search(queries, vectors, 101)
    scores = [[sum(map(float.__mul__, query, vector)) for vector in vectors.tolist()] for query in queries.tolist()]
    expected = [sorted(range(101), key=lambda index: (-row[index], index)) for row in scores]
    proof(inner_product_search, "brute force, with ties").equal(indices.tolist(), expected)


def test_exact_search_at_the_edges() -> None:
    assert inner_product_search(np.zeros((0, 3)), np.zeros((2, 3)), 1)[0].shape == (0, 1)
    assert inner_product_search(np.zeros((1, 3)), np.zeros((0, 3)), 0)[0].shape == (1, 0)
    assert inner_product_search(np.zeros((1, 0)), np.zeros((2, 0)), 2)[0].tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="k: expected 0 to 2, the number of documents, got 3"):
        inner_product_search(np.zeros((1, 3)), np.zeros((2, 3)), 3)
    with pytest.raises(ValueError, match="vectors: expected finite values, got nan"):
        inner_product_search(np.zeros((1, 1)), np.array([[0.0], [nan]]), 1)
    with pytest.raises(ValueError, match="queries: expected finite values, got inf"):
        inner_product_search(np.array([[inf]]), np.zeros((1, 1)), 1)
    with pytest.raises(ValueError, match="scores: expected finite values, got inf"):
        inner_product_search(np.array([[1e200]]), np.array([[1e200]]), 1)
    with pytest.raises(TypeError):
        inner_product_search(np.zeros((1, 3)), np.zeros((2, 4)), 1)


RANKINGS = st.lists(st.lists(st.integers(0, 6), max_size=7, unique=True), max_size=4)


def fused_by_hand(rankings: list[list[int]], k: int) -> list[tuple[int, float]]:
    """Every document against every ranking, in exact fractions over one common denominator."""
    found = {index for ranking in rankings for index in ranking}
    scores = {
        index: sum((Fraction(1, k + 1 + ranking.index(index)) for ranking in rankings if index in ranking), Fraction())
        for index in found
    }
    ordered = sorted(found)
    ordered.sort(key=scores.__getitem__, reverse=True)  # stable: equal scores keep ascending indices
    return [(index, float(scores[index])) for index in ordered]


@DEFAULT
@given(RANKINGS, st.integers(0, 60))
def test_fusion_equals_brute_force(rankings: list[list[int]], k: int) -> None:
    assert reciprocal_rank_fusion(rankings, k=k) == fused_by_hand(rankings, k)


def test_fusion_meets_its_authority(rng, proof) -> None:
    rankings = [rng.permutation(50)[:30].tolist() for _ in range(4)]
    proof(reciprocal_rank_fusion, "brute force").equal(reciprocal_rank_fusion(rankings), fused_by_hand(rankings, 60))


def test_fusion_at_the_edges() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []
    assert reciprocal_rank_fusion([[4]]) == [(4, 1 / 61)]
    with pytest.raises(ValueError, match="k: expected 0 or more, got -1"):
        reciprocal_rank_fusion([[1]], k=-1)
    with pytest.raises(ValueError, match="document index: expected 0 or more, got -1"):
        reciprocal_rank_fusion([[-1]])
    with pytest.raises(ValueError, match="each document once a ranking, got 2 twice"):
        reciprocal_rank_fusion([[2, 1, 2]])


def test_fusion_compares_exactly() -> None:
    """Ranks 1, 3 and 6 in three rankings, in any order, are one score: 1/1 + 1/3 + 1/6."""
    rankings = [[7, 0, 5, 1, 2, 3], [3, 4, 7, 0, 1, 5], [5, 6, 3, 8, 9, 7]]
    fused = reciprocal_rank_fusion(rankings, k=0)
    assert [index for index, _ in fused[:3]] == [3, 5, 7]
    assert {score for _, score in fused[:3]} == {1.5}
