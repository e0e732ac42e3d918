"""RAPTOR: a tree of summaries over chunks, and two ways to search it.

Covers building and retrieval by cosine. Not covered: the embedding and summarising models, which are arguments;
budgets of tokens (see `build_prompt`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.rag.clusters import soft_clusters
from reference.rag.ranking import top_k
from reference.values import at_least, finite


@dataclass(frozen=True)
class RaptorNode:
    """A text of the tree: a leaf (level 0) or the summary of its children, which are nodes one level below.

    Source: Sarthi et al. 2024 (arXiv:2401.18059), section 3.

    >>> RaptorNode("un, deux", level=1, children=(0, 1)).level
    1
    """

    text: str
    level: int
    children: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class RaptorTree:
    """Nodes from the leaves up, level by level, and the embedding of each.

    Source: Sarthi et al. 2024 (arXiv:2401.18059), section 3.

    >>> RaptorTree((RaptorNode("un", 0),), np.ones((1, 2))).embeddings.shape
    (1, 2)
    """

    nodes: tuple[RaptorNode, ...]
    embeddings: Float64[np.ndarray, "N D"]


Embed = Callable[[Sequence[str]], Float64[np.ndarray, "n D"]]


@checked
def build_raptor(
    texts: Sequence[str],
    *,
    embed: Embed,
    summarise: Callable[[Sequence[str]], str],
    rng: np.random.Generator,
    max_levels: int = 5,
) -> RaptorTree:
    """Cluster texts, summarise each cluster, and go on with the summaries.

    Level 0 holds `texts`. Each next level has one node for each of `soft_clusters` of the level below, whose text is
    the summary of its children's texts in order. It ends at a level of one node or at `max_levels`. One text is a tree
    of one leaf.

    Source: Sarthi et al. 2024 (arXiv:2401.18059), section 3.
    Departs from it: the clusters, see `soft_clusters`; a cluster may be of any length.

    Args:
        texts: the leaves, at least one.
        embed: gives a finite vector for each of several texts.
        summarise: gives one text for several.
        rng: for the clusters.
        max_levels: levels above the leaves, 0 or more.
    Raises:
        ValueError: there is no text, `max_levels` is negative, or an embedding is missing or not finite.

    Cost: at most max_levels + 1 nodes a leaf, as each level has fewer than the one below; one embedding a node, one
    summary an inner node, and the clusters.

    >>> embed = lambda texts: np.array([[float(len(text)), 1.0] for text in texts])
    >>> tree = build_raptor(["a", "b"], embed=embed, summarise=" + ".join, rng=np.random.default_rng(0))
    >>> tree.nodes[-1]
    RaptorNode(text='a + b', level=1, children=(0, 1))
    """
    at_least("number of texts", len(texts), 1)
    at_least("max_levels", max_levels, 0)
    nodes = [RaptorNode(text, 0) for text in texts]
    embeddings = _embedded(texts, embed)
    layer = range(len(texts))
    for level in range(1, max_levels + 1):
        if len(layer) == 1:
            break
        clusters = soft_clusters(embeddings[layer.start :], rng=rng)
        families = [tuple(layer[member] for member in cluster) for cluster in clusters]
        summaries = [summarise([nodes[child].text for child in family]) for family in families]
        layer = range(len(nodes), len(nodes) + len(families))
        nodes += [RaptorNode(text, level, family) for text, family in zip(summaries, families, strict=True)]
        embeddings = np.concatenate([embeddings, _embedded(summaries, embed)])
    return RaptorTree(tuple(nodes), embeddings)


@checked
def collapsed_search(tree: RaptorTree, query: Float64[np.ndarray, " D"], k: int) -> Int64[np.ndarray, " k"]:
    """Find the `k` nodes nearest to the query, whatever their level, the nearest first.

    Nearness is the cosine; a vector of zeros has cosine 0 with everything. Ties: the lowest index, so leaves before
    summaries.

    Source: Sarthi et al. 2024 (arXiv:2401.18059), section 3 (collapsed tree).
    Departs from it: a number of nodes; `build_prompt` holds the budget of tokens.

    Args:
        tree: as `build_raptor` gives it.
        query: finite.
        k: from 0 to the number of nodes.
    Returns:
        Indices of nodes.
    Raises:
        ValueError: a value is not finite, the query has another width, or `k` is negative or larger than the tree.

    Cost: O(N·(D + log N)).

    >>> nodes = (RaptorNode("a", 0), RaptorNode("b", 0), RaptorNode("ab", 1, (0, 1)))
    >>> tree = RaptorTree(nodes, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    >>> collapsed_search(tree, np.array([1.0, 0.9]), k=2).tolist()
    [2, 0]
    """
    return top_k(_cosines(tree.embeddings, query), k)


@checked
def traverse(tree: RaptorTree, query: Float64[np.ndarray, " D"], k: int) -> list[int]:
    """Descend from the top level, at each level to the `k` nodes nearest to the query.

    On the top level all nodes stand for election, then the children of those elected, each once, down to the leaves.
    Nearness and ties as in `collapsed_search`. Where fewer than `k` stand, all are taken.

    Source: Sarthi et al. 2024 (arXiv:2401.18059), section 3 (tree traversal).

    Args:
        tree: as `build_raptor` gives it.
        query: finite.
        k: nodes a level, 1 or more.
    Returns:
        Indices of nodes, level by level from the top, the nearest first within a level.
    Raises:
        ValueError: a value is not finite, the query has another width, or `k` is below 1.

    Cost: O(N·D + L·C·log C) for L levels and C nodes that stand on a level.

    >>> nodes = (RaptorNode("a", 0), RaptorNode("b", 0), RaptorNode("ab", 1, (0, 1)))
    >>> tree = RaptorTree(nodes, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    >>> traverse(tree, np.array([0.1, 0.9]), k=1)
    [2, 1]
    """
    at_least("k", k, 1)
    cosines = _cosines(tree.embeddings, query)
    top = max(node.level for node in tree.nodes)
    standing = [index for index, node in enumerate(tree.nodes) if node.level == top]
    path: list[int] = []
    while standing:
        elected = [standing[place] for place in top_k(cosines[standing], min(k, len(standing)))]
        path += elected
        standing = sorted({child for index in elected for child in tree.nodes[index].children})
    return path


def _cosines(vectors: Float64[np.ndarray, "N D"], query: Float64[np.ndarray, " D"]) -> Float64[np.ndarray, " N"]:
    finite("query", query)
    finite("embeddings", vectors)
    if len(query) != vectors.shape[1]:
        raise ValueError(f"query: expected width D = {vectors.shape[1]}, got {len(query)}")
    vectors, query = _near_one(vectors), _near_one(query)
    lengths = np.linalg.norm(vectors, axis=-1) * np.linalg.norm(query)
    products = (vectors * query).sum(axis=-1)  # row by row: equal vectors tie exactly
    return np.asarray(products / np.where(lengths > 0, lengths, 1.0))


def _near_one(vectors: Float64[np.ndarray, "*rows D"]) -> Float64[np.ndarray, "*rows D"]:
    """Scale each vector by a power of 2, hence exactly, so that no square overflows or vanishes."""
    _, exponents = np.frexp(np.abs(vectors).max(axis=-1, keepdims=True, initial=0.0))
    return np.asarray(np.ldexp(vectors, -exponents))


@checked
def _embedded(texts: Sequence[str], embed: Embed) -> Float64[np.ndarray, "n D"]:
    vectors = embed(texts)
    if len(vectors) != len(texts):
        raise ValueError(f"embed: expected {len(texts)} vectors, one for each text, got {len(vectors)}")
    finite("embeddings", vectors)
    return vectors.copy()
