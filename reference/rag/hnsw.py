"""Approximate search in a navigable small world of several levels (HNSW), as its paper writes it: to be read.

Covers building from given vectors and searching. Not covered: speed (see `reference.rag.hnsw_fast`), deletion, filters.
"""

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.rag.hnsw_levels import (
    draw_levels,
    hold_construction,
    hold_found,
    hold_search,
    select_neighbours,
    squared_distance,
)


class HNSW:
    """An index of vectors for approximate search by Euclidean distance: a graph on each of several levels.

    Level 0 holds every vector, each higher level about one in M of the one below. A vector gets up to M links to its
    neighbours when it comes, and keeps up to 2M on level 0, up to M above. A search descends from the top greedily and
    gathers the `ef` nearest it meets on level 0.

    Vectors are added in order. Ties: of two vectors equally far, the lower index is the nearer, everywhere.
    `graph[level][i]` lists the links of vector i. Without a vector there is no level.

    Source: Malkov and Yashunin 2018 (arXiv:1603.09320), algorithms 1 (insert), 2 (search a level), 4 (select) and 5
    (search), M_max = M, M_max0 = 2M.
    Departs from it: ties are decided and kept by algorithm 4.

    >>> vectors = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> index = HNSW(vectors, m=2, ef_construction=4, rng=np.random.default_rng(0))
    >>> index.graph[0]
    {0: [1], 1: [0, 2], 2: [1, 3], 3: [2]}
    >>> index.search(np.array([[2.2]]), k=2, ef=4)[0].tolist()
    [[2, 3]]
    """

    @checked
    def __init__(
        self, vectors: Float64[np.ndarray, "N D"], *, m: int, ef_construction: int, rng: np.random.Generator
    ) -> None:
        hold_construction(vectors, m, ef_construction)
        self._vectors = vectors.copy()
        self._m = m
        self._entry = 0
        self.graph: list[dict[int, list[int]]] = []
        for index, level in enumerate(draw_levels(len(vectors), m=m, rng=rng).tolist()):
            self._insert(index, level, ef_construction)

    @checked
    def search(
        self, queries: Float64[np.ndarray, "Q D"], k: int, *, ef: int
    ) -> tuple[Int64[np.ndarray, "Q k"], Float64[np.ndarray, "Q k"]]:
        """Find for each query `k` vectors near it, the nearest first.

        Where the graph leads to fewer than `k` vectors, as with many copies of one, the rest is index -1 at distance
        inf, as in faiss.

        Args:
            queries: finite, of the vectors' width.
            k: from 0 to N.
            ef: vectors kept while searching, `k` or more; the larger, the better and slower. N: nearly exact.
        Returns:
            Indices and squared distances.
        Raises:
            ValueError: a value is not finite, a query has another width, `k` is negative or larger than N, or `ef` is
                below `k` or 1, or a squared distance overflows.

        Cost: about O(Q·ef·M·D·log N); this version sorts what it has found at every step.

        >>> index = HNSW(np.array([[0.0], [5.0]]), m=2, ef_construction=4, rng=np.random.default_rng(0))
        >>> index.search(np.array([[4.0], [1.0]]), k=1, ef=2)[1].tolist()
        [[1.0], [1.0]]
        """
        hold_search(queries, k, ef, self._vectors)
        indices = np.full((len(queries), k), -1, dtype=np.int64)
        distances = np.full((len(queries), k), np.inf)
        if k == 0:
            return indices, distances
        for row, query in enumerate(queries):
            with np.errstate(over="ignore"):  # found below
                found = self._search_level(query, self._descend(query, 0), ef, level=0)[:k]
            for rank, (distance, index) in enumerate(found):
                indices[row, rank], distances[row, rank] = index, distance
        hold_found(indices, distances)
        return indices, distances

    def _insert(self, index: int, level: int, ef_construction: int) -> None:
        """Algorithm 1."""
        vector = self._vectors[index]
        nearest = self._descend(vector, level)
        for shared in range(min(level, len(self.graph) - 1), -1, -1):
            found = self._search_level(vector, nearest, ef_construction, shared)
            nearest = [other for _, other in found]
            self.graph[shared][index] = select_neighbours(vector, nearest, self._vectors, self._m)
            for other in self.graph[shared][index]:
                self._link(other, index, shared)
        if level >= len(self.graph):
            self._entry = index
            self.graph += [{index: []} for _ in range(len(self.graph), level + 1)]

    def _link(self, index: int, other: int, level: int) -> None:
        """Link `index` to `other`; if that is one too many, choose again among all its links."""
        links = [*self.graph[level][index], other]
        limit = self._m if level else 2 * self._m
        if len(links) > limit:
            links = select_neighbours(self._vectors[index], links, self._vectors, limit)
        self.graph[level][index] = links

    def _descend(self, query: Float64[np.ndarray, " D"], level: int) -> list[int]:
        """Go down greedily from the top and return where to enter `level`."""
        nearest = [self._entry]
        for higher in range(len(self.graph) - 1, level, -1):
            nearest = [index for _, index in self._search_level(query, nearest, 1, higher)]
        return nearest

    def _search_level(
        self, query: Float64[np.ndarray, " D"], entries: list[int], ef: int, level: int
    ) -> list[tuple[float, int]]:
        """Algorithm 2: up to `ef` nearest (squared distance, index), the nearest first."""
        visited = set(entries)
        candidates = [(squared_distance(query, self._vectors[index]), index) for index in entries]
        found = sorted(candidates)[:ef]
        while candidates:
            nearest = min(candidates)
            candidates.remove(nearest)
            if nearest > found[-1]:
                break
            for index in self.graph[level][nearest[1]]:
                if index not in visited:
                    visited.add(index)
                    candidates.append((squared_distance(query, self._vectors[index]), index))
                    found = sorted([*found, candidates[-1]])[:ef]
        return found
