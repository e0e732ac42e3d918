"""Values near the ends of float64, arguments that do not fit each other, and inputs too long or deep for Python."""

import numpy as np
import pytest

from reference.rag import (
    HNSW,
    Chunk,
    FastHNSW,
    Mixture,
    RaptorNode,
    RaptorTree,
    bayesian_information,
    build_raptor,
    citation_numbers,
    cite,
    collapsed_search,
    fit_mixture,
    initial_mixture,
    principal_components,
    reciprocal_rank_fusion,
    recursive_chunks,
    responsibilities,
    select_neighbours,
    soft_clusters,
    traverse,
)

MIXTURE = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [4.0]]), np.ones((2, 1)))
NODES = (RaptorNode("a", 0), RaptorNode("b", 0))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_embeddings_without_columns_are_one_cluster() -> None:
    assert soft_clusters(np.zeros((3, 0)), rng=rng()) == [(0, 1, 2)]


def test_squares_that_overflow_are_refused() -> None:
    points = np.array([[0.0], [1e200], [2e200]])
    with pytest.raises(ValueError, match="variance of embeddings: expected finite"):
        soft_clusters(points, rng=rng())
    with pytest.raises(ValueError, match="squared distances of points: expected finite"):
        initial_mixture(points, 3, rng=rng())
    with pytest.raises(ValueError, match="log-likelihoods of points: expected finite"):
        responsibilities(np.array([[1e160]]), MIXTURE)
    with pytest.raises(ValueError, match="points less their mean: expected finite"):
        principal_components(np.array([[1.7e308], [1.6e308]]), 1)


@pytest.mark.parametrize("function", [fit_mixture, responsibilities, bayesian_information])
def test_a_mixture_that_does_not_fit_is_refused(function) -> None:
    with pytest.raises(ValueError, match="expected means and variances of shape"):
        function(np.ones((2, 3)), MIXTURE)
    with pytest.raises(ValueError, match="weights: expected finite values, got nan"):
        function(np.ones((2, 1)), Mixture(np.array([np.nan, 0.5]), MIXTURE.means, MIXTURE.variances))


def test_no_point_fits_no_mixture() -> None:
    with pytest.raises(ValueError, match="number of points"):
        fit_mixture(np.ones((0, 1)), MIXTURE)


@pytest.mark.parametrize("size", [1e-300, 5e-324, 1e200, 1.7e308])
def test_cosines_of_any_size(size: float) -> None:
    tree = RaptorTree(NODES, np.array([[3.0, 4.0], [0.0, size]]))
    assert collapsed_search(tree, np.array([0.0, size]), k=2).tolist() == [1, 0]
    assert traverse(tree, np.array([0.0, size]), k=1) == [1]


def test_a_query_of_another_width_is_refused() -> None:
    tree = RaptorTree(NODES, np.array([[3.0, 4.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="query: expected width D = 2, got 1"):
        collapsed_search(tree, np.ones(1), k=1)
    with pytest.raises(ValueError, match="query: expected width D = 2, got 1"):
        traverse(tree, np.ones(1), k=1)


def test_embeddings_are_float64_and_the_trees_own() -> None:
    kept = np.ones((1, 2))
    tree = build_raptor(["a"], embed=lambda texts: kept, summarise="".join, rng=rng())
    kept[:] = 0
    assert tree.embeddings.tolist() == [[1.0, 1.0]]
    for wrong in ([[1.0]], np.ones((1, 2), dtype=np.float32)):
        with pytest.raises(TypeError):
            build_raptor(["a"], embed=lambda texts, wrong=wrong: wrong, summarise="".join, rng=rng())


@pytest.mark.parametrize(("candidate", "got"), [(5, 5), (-1, -1)])
def test_a_candidate_that_is_no_vector_is_refused(candidate: int, got: int) -> None:
    with pytest.raises(ValueError, match=f"candidates: expected rows from 0 to 1, got {got}"):
        select_neighbours(np.array([0.0]), [0, candidate], np.ones((2, 1)), 2)


@pytest.mark.parametrize("m", [3, 4, 10**10])
def test_more_links_than_vectors(m: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(5, 2))
    graph = HNSW(vectors, m=m, ef_construction=8, rng=rng()).graph
    assert FastHNSW(vectors, m=m, ef_construction=8, rng=rng()).graph == graph


@pytest.mark.parametrize("mark", ["[" + "0" * 5000 + "1]", "[1, " + "9" * 5000 + "]"])
def test_citations_too_long_to_read_are_refused(mark: str) -> None:
    with pytest.raises(ValueError, match="text: expected citations of at most 18 digits"):
        citation_numbers(mark)
    with pytest.raises(ValueError, match="text: expected citations of at most 18 digits"):
        cite(mark, [], language="fr")


@pytest.mark.parametrize("mark", ["[1,2]", "[ 1, 2 ]", " [ 1 ,2 ]"])
def test_spaces_in_a_citation_do_not_move_it(mark: str) -> None:
    answer = cite(f"Tout dort.{mark} Il pleut.", [Chunk("a", 0, 1)] * 2, language="fr")
    assert [statement.cited for statement in answer.statements] == [(1, 2), ()]


def test_more_separators_than_python_recurses() -> None:
    separators = [chr(0x4E00 + i) for i in range(1500)]
    chunks = recursive_chunks("".join(reversed(separators)), size=1, separators=separators)
    assert [chunk.text for chunk in chunks] == separators[::-1]


def test_pieces_of_no_length_stand_once_without_overlap() -> None:
    text = "aaa\n\n\nbbb"
    chunks = recursive_chunks(text, size=3, separators=["\n"], length=lambda piece: len(piece.strip()))
    assert "".join(chunk.text for chunk in chunks) == text


def test_every_document_index_is_looked_at() -> None:
    for _ in range(9):
        with pytest.raises(TypeError):
            reciprocal_rank_fusion([[2, 3, 4, 5, 1.5]])  # type: ignore[list-item]


@pytest.mark.parametrize("index", [HNSW, FastHNSW])
def test_distances_that_overflow_are_refused(index: type[HNSW] | type[FastHNSW]) -> None:
    with pytest.raises(ValueError, match="squared distances of vectors: expected finite values, got inf"):
        index(np.array([[0.0], [1e200]]), m=2, ef_construction=4, rng=rng())
    small = index(np.array([[0.0], [1.0]]), m=2, ef_construction=4, rng=rng())
    with pytest.raises(ValueError, match="squared distances to queries: expected finite values, got inf"):
        small.search(np.array([[0.5], [1e200]]), k=1, ef=2)
