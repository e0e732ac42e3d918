"""RAPTOR: mixtures and clusters against scikit-learn, trees and their searches against loops."""

import warnings
from functools import cache
from math import inf, nan

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.mixture import GaussianMixture

from reference.rag import (
    Mixture,
    RaptorNode,
    RaptorTree,
    bayesian_information,
    build_raptor,
    collapsed_search,
    fit_mixture,
    initial_mixture,
    principal_components,
    responsibilities,
    soft_clusters,
    traverse,
)

WITHIN = 1e-12  # tens of steps that each round sums of 60 terms: 30 · 60 · 2^-53 = 2e-13, with room for exponentials


def blobs(rng: np.random.Generator, n: int, width: int = 3, n_centres: int = 3, apart: float = 4.0) -> np.ndarray:
    centres = rng.normal(scale=apart, size=(n_centres, width))
    return centres[rng.integers(n_centres, size=n)] + rng.normal(size=(n, width))


def sklearn_mixture(points: np.ndarray, start: Mixture, n_steps: int, floor: float = 1e-6) -> GaussianMixture:
    fitted = GaussianMixture(
        len(start.weights),
        covariance_type="diag",
        reg_covar=floor,
        tol=0,
        max_iter=n_steps,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=1 / start.variances,
        init_params="random_from_data",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is given
        return fitted.fit(points)


@pytest.mark.parametrize("n_clusters", [1, 2, 4])
@pytest.mark.parametrize("n_steps", [1, 2, 30])
def test_mixtures_equal_those_of_sklearn(n_clusters: int, n_steps: int, rng, proof) -> None:
    points = blobs(rng, 60)
    start = initial_mixture(points, n_clusters, rng=rng)
    ours, theirs = fit_mixture(points, start, n_steps=n_steps), sklearn_mixture(points, start, n_steps)
    authority = "sklearn GaussianMixture"
    proof(fit_mixture, authority).close(ours.weights, theirs.weights_, within=WITHIN)
    proof(fit_mixture, authority).close(ours.means, theirs.means_, within=WITHIN)
    proof(fit_mixture, authority).close(ours.variances, theirs.covariances_, within=WITHIN)
    shares = responsibilities(points, ours)
    proof(responsibilities, authority).close(shares, theirs.predict_proba(points), within=WITHIN)
    proof(bayesian_information, authority).close(bayesian_information(points, ours), theirs.bic(points), within=WITHIN)


def test_means_start_far_apart_with_the_right_probabilities(proof) -> None:
    """From 0, 1 and 3: first any, then by squared distance, e.g. after 0 with 1/10 and 9/10."""
    points, counts, n_draws = np.array([[0.0], [1.0], [3.0]]), np.zeros((3, 3)), 5000
    rng = np.random.default_rng(1)
    for _ in range(n_draws):
        first, second = np.searchsorted(points[:, 0], initial_mixture(points, 2, rng=rng).means[:, 0])
        counts[first, second] += 1
    expected = np.array([[0, 1 / 10, 9 / 10], [1 / 5, 0, 4 / 5], [9 / 13, 4 / 13, 0]]) / 3
    proof(initial_mixture, "k-means++ by enumeration").close(counts / n_draws, expected, within=0.03)  # 4 errors


def test_a_mixture_starts_with_the_spread_of_all_points() -> None:
    points = np.array([[0.0, 5.0], [2.0, 5.0]])
    start = initial_mixture(points, 2, rng=np.random.default_rng(0))
    assert start.weights.tolist() == [0.5, 0.5]
    assert start.variances.tolist() == [[1 + 1e-6, 1e-6]] * 2
    same = initial_mixture(np.ones((4, 2)), 3, rng=np.random.default_rng(0))  # all distances are 0
    assert same.means.tolist() == [[1.0, 1.0]] * 3


def test_a_gaussian_without_points_keeps_its_place() -> None:
    points = np.array([[0.0], [1.0]])
    start = Mixture(np.array([1.0, 0.0]), np.array([[0.5], [70.0]]), np.ones((2, 1)))
    fitted = fit_mixture(points, start, n_steps=2)
    assert fitted.weights.tolist() == [1.0, 0.0]
    assert fitted.means.tolist() == [[0.5], [70.0]]
    assert responsibilities(points, fitted).tolist() == [[1.0, 0.0]] * 2


def test_mixtures_refuse_what_has_no_meaning(rng) -> None:
    points = np.zeros((2, 1))
    for n_clusters in (0, 3):
        with pytest.raises(ValueError, match=f"n_clusters: expected 1 to 2, the number of points, got {n_clusters}"):
            initial_mixture(points, n_clusters, rng=rng)
    with pytest.raises(ValueError, match="points: expected finite values, got nan"):
        initial_mixture(np.array([[nan]]), 1, rng=rng)
    start = initial_mixture(points, 1, rng=rng)
    with pytest.raises(ValueError, match="n_steps: expected 0 or more, got -1"):
        fit_mixture(points, start, n_steps=-1)
    for floor in (0.0, nan, inf):
        with pytest.raises(ValueError, match="floor: expected a finite number above 0"):
            fit_mixture(points, start, floor=floor)
    with pytest.raises(ValueError, match="points: expected finite values, got inf"):
        responsibilities(np.array([[inf]]), start)
    with pytest.raises(ValueError, match="number of points: expected 1 or more, got 0"):
        bayesian_information(np.zeros((0, 1)), start)


@pytest.mark.parametrize(("n", "width", "kept"), [(30, 5, 2), (30, 5, 5), (4, 9, 3), (1, 3, 1)])
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # sklearn divides by N - 1 = 0
def test_components_equal_those_of_sklearn(n: int, width: int, kept: int, rng, proof) -> None:
    points = rng.normal(size=(n, width))
    ours, theirs = principal_components(points, kept), PCA(kept, svd_solver="full").fit_transform(points)
    proof(principal_components, "sklearn PCA, but for signs").close(abs(ours), abs(theirs), within=1e-12)
    assert principal_components(points, 99).shape == (n, min(n, width))


@pytest.mark.parametrize("apart", [2.0, 4.0])
@pytest.mark.parametrize("seed", range(4))
def test_clusters_equal_those_of_sklearn(seed: int, apart: float, proof) -> None:
    points = blobs(np.random.default_rng(seed), 40, width=6, apart=apart)
    rng = np.random.default_rng(seed)
    reduced = principal_components(points, 2)
    floor = reduced.var(axis=0).mean() / 40
    fitted = [sklearn_mixture(reduced, initial_mixture(reduced, n, rng=rng), 50, floor) for n in range(1, 8)]
    best = fitted[int(np.argmin([one.bic(reduced) for one in fitted]))]
    shares = best.predict_proba(reduced)
    expected = {
        tuple(row for row in range(40) if shares[row, k] > 0.1 or shares[row].argmax() == k)
        for k in range(len(best.weights_))
    }
    clusters = soft_clusters(points, rng=np.random.default_rng(seed), max_clusters=7, n_dimensions=2)
    proof(soft_clusters, "sklearn GaussianMixture").equal(clusters, sorted(expected - {()}))


@pytest.mark.parametrize("n", [1, 2, 3, 17])
def test_clusters_are_fewer_than_rows_and_hold_all(n: int, rng) -> None:
    for points in (rng.normal(size=(n, 4)), np.ones((n, 4))):
        clusters = soft_clusters(points, rng=rng, max_clusters=9)
        assert {row for cluster in clusters for row in cluster} == set(range(n))
        assert 1 <= len(clusters) <= max(n - 1, 1)


def test_a_row_may_be_in_several_clusters() -> None:
    points = blobs(np.random.default_rng(1), 40, width=6, apart=2.5)
    whole, several, alone = (
        soft_clusters(points, rng=np.random.default_rng(1), max_clusters=3, n_dimensions=2, threshold=threshold)
        for threshold in (0, 0.1, 1)
    )
    assert whole == [tuple(range(40))]  # every cluster is responsible for every row, a little; equal ones are merged
    assert len(several) == len(alone) > 1
    assert sum(map(len, several)) > 40 == sum(map(len, alone))  # above 1 is none: the most responsible alone


def test_who_is_responsible_by_zero_is_not_in_the_cluster() -> None:
    points = np.repeat([[-1.0], [1.0]], 400, axis=0)  # so far apart, for so many, that exp(-800) is left: 0
    clusters = soft_clusters(points, rng=np.random.default_rng(0), max_clusters=2, threshold=0)
    assert clusters == [tuple(range(400)), tuple(range(400, 800))]


def test_fewer_clusters_are_tried_than_there_are_rows(rng) -> None:
    points, other = rng.normal(size=(3, 2)), np.random.default_rng(1)
    ours = np.random.default_rng(1)
    soft_clusters(points, rng=ours, max_clusters=9)
    for n_clusters in (1, 2):
        initial_mixture(principal_components(points, 10), n_clusters, rng=other)
    assert ours.random() == other.random()  # both have drawn as much


def test_clusters_at_the_edges(rng) -> None:
    assert soft_clusters(np.zeros((0, 3)), rng=rng) == []
    assert soft_clusters(np.zeros((1, 3)), rng=rng) == [(0,)]
    with pytest.raises(ValueError, match="max_clusters: expected 1 or more, got 0"):
        soft_clusters(np.zeros((2, 1)), rng=rng, max_clusters=0)
    with pytest.raises(ValueError, match="n_dimensions: expected 1 or more, got 0"):
        soft_clusters(np.zeros((2, 1)), rng=rng, n_dimensions=0)
    with pytest.raises(ValueError, match=r"threshold: expected a number from 0 to 1, got 1\.5"):
        soft_clusters(np.zeros((2, 1)), rng=rng, threshold=1.5)
    with pytest.raises(ValueError, match="points: expected finite values, got nan"):
        soft_clusters(np.array([[nan], [0.0]]), rng=rng)


def embed(texts) -> np.ndarray:
    """Letters counted: 26 dimensions."""
    return np.array([[text.count(chr(ord("a") + letter)) for letter in range(26)] for text in texts], dtype=np.float64)


def words(rng: np.random.Generator, n: int) -> list[str]:
    """Words over one of three alphabets each, so that there is something to cluster."""
    alphabets = ["abcde", "klmno", "vwxyz"]
    return ["".join(rng.choice([*alphabets[rng.integers(3)]], size=12)) for _ in range(n)]


@cache
def tree_of(n: int, max_levels: int = 5) -> RaptorTree:
    texts = words(np.random.default_rng(n), n)
    rng = np.random.default_rng(0)
    return build_raptor(texts, embed=embed, summarise="".join, rng=rng, max_levels=max_levels)


@pytest.mark.parametrize("n", [1, 2, 3, 25])
@pytest.mark.parametrize("max_levels", [0, 1, 5])
def test_trees_equal_brute_force(n: int, max_levels: int, proof) -> None:
    """The tree again, by recursion over levels of texts instead of one list of nodes."""

    def grown(texts: list[str], first: int, level: int) -> list[RaptorNode]:
        if len(texts) == 1 or level > max_levels:
            return []
        clusters = soft_clusters(embed(texts), rng=rng)
        summaries = ["".join(texts[member] for member in cluster) for cluster in clusters]
        families = [tuple(first + member for member in cluster) for cluster in clusters]
        nodes = [RaptorNode(text, level, family) for text, family in zip(summaries, families, strict=True)]
        return nodes + grown(summaries, first + len(texts), level + 1)

    tree, rng, leaves = tree_of(n, max_levels), np.random.default_rng(0), words(np.random.default_rng(n), n)
    expected = [RaptorNode(text, 0) for text in leaves] + grown(leaves, 0, 1)
    proof(build_raptor, "brute force").equal(list(tree.nodes), expected)
    assert np.array_equal(tree.embeddings, embed([node.text for node in tree.nodes]))


def test_a_tree_has_levels_and_every_node_below_the_top_a_parent() -> None:
    tree = tree_of(25)
    top = max(node.level for node in tree.nodes)
    assert top >= 2
    assert {child for node in tree.nodes for child in node.children} == {
        index for index, node in enumerate(tree.nodes) if node.level < top
    }
    assert all(tree.nodes[child].level == node.level - 1 for node in tree.nodes for child in node.children)


def test_building_refuses_what_has_no_meaning(rng) -> None:
    with pytest.raises(ValueError, match="number of texts: expected 1 or more, got 0"):
        build_raptor([], embed=embed, summarise="".join, rng=rng)
    with pytest.raises(ValueError, match="max_levels: expected 0 or more, got -1"):
        build_raptor(["a"], embed=embed, summarise="".join, rng=rng, max_levels=-1)
    with pytest.raises(ValueError, match="embed: expected 2 vectors, one for each text, got 1"):
        build_raptor(["a", "b"], embed=lambda texts: np.zeros((1, 1)), summarise="".join, rng=rng)
    with pytest.raises(ValueError, match="embeddings: expected finite values, got nan"):
        build_raptor(["a"], embed=lambda texts: np.full((1, 1), nan), summarise="".join, rng=rng)


def ranked(tree: RaptorTree, query: np.ndarray, indices: list[int]) -> list[int]:
    cosines = cosine_similarity([query], tree.embeddings)[0].round(12)  # ties but for rounding
    return sorted(indices, key=lambda index: (-cosines[index], index))


@pytest.mark.parametrize("k", [0, 1, 4, 20])
@pytest.mark.parametrize("seed", range(3))
def test_collapsed_search_equals_sorting(k: int, seed: int, proof) -> None:
    tree, query = tree_of(25), np.random.default_rng(seed).random(26)
    expected = ranked(tree, query, list(range(len(tree.nodes))))[:k]
    proof(collapsed_search, "sklearn cosine_similarity").equal(collapsed_search(tree, query, k).tolist(), expected)


@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize("seed", range(3))
def test_traversal_equals_brute_force(k: int, seed: int, proof) -> None:
    tree, query = tree_of(25), np.random.default_rng(seed).random(26)
    expected: list[int] = []
    elected: set[int] = set()
    for level in range(max(node.level for node in tree.nodes), -1, -1):
        here = [index for index, node in enumerate(tree.nodes) if node.level == level]
        parents = [tree.nodes[index].children for index in elected]
        chosen = ranked(tree, query, [i for i in here if not elected or any(i in one for one in parents)])[:k]
        elected = set(chosen)
        expected += chosen
    proof(traverse, "sklearn cosine_similarity, level by level").equal(traverse(tree, query, k), expected)


def test_searching_at_the_edges() -> None:
    nodes = tuple(RaptorNode(text, 0) for text in "abc")
    tree = RaptorTree(nodes, np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
    assert collapsed_search(tree, np.array([1.0, 1.0]), 3).tolist() == [1, 2, 0]
    assert collapsed_search(tree, np.array([-1.0, -1.0]), 3).tolist() == [0, 1, 2]  # zeros: cosine 0
    assert collapsed_search(tree, np.zeros(2), 2).tolist() == [0, 1]
    assert traverse(tree, np.array([1.0, 0.0]), 2) == [1, 2]
    leaves = tuple(RaptorNode("a", 0) for _ in range(9))
    alike = RaptorTree((*leaves, RaptorNode("aa", 1, (8, 1))), np.ones((10, 2)))
    assert traverse(alike, np.ones(2), 1) == [9, 1]  # ties: the lowest index, whatever the order of children
    with pytest.raises(ValueError, match="k: expected 0 to 3, the number of documents, got 4"):
        collapsed_search(tree, np.zeros(2), 4)
    with pytest.raises(ValueError, match="k: expected 1 or more, got 0"):
        traverse(tree, np.zeros(2), 0)
    with pytest.raises(ValueError, match="query: expected finite values, got nan"):
        traverse(tree, np.array([nan, 0.0]), 1)
