"""HNSW fast enough for tens of thousands of vectors: the graph of `reference.rag.hnsw`, link for link.

Covers the same. What differs: links in arrays, heaps, and distances to all new neighbours of a vector in one step.
"""

from heapq import heapify, heappop, heappush, heapreplace

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.rag.hnsw_levels import draw_levels, hold_construction, hold_found, hold_search

Found = list[tuple[float, int]]  # squared distance, index; the nearest first


class FastHNSW:
    """The twin of `HNSW` for speed: same arguments, same graph, same answers, ties included.

    Where distances differ by rounding alone, both may decide differently: they sum in different orders.

    Source: Malkov and Yashunin 2018 (arXiv:1603.09320), algorithms 1, 2, 4 and 5.
    Departs from it: as `HNSW`; algorithm 4 compares with the bisector of two vectors, not with their distance.

    >>> vectors = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> index = FastHNSW(vectors, m=2, ef_construction=4, rng=np.random.default_rng(0))
    >>> index.graph[0]
    {0: [1], 1: [0, 2], 2: [1, 3], 3: [2]}
    """

    @checked
    def __init__(
        self, vectors: Float64[np.ndarray, "N D"], *, m: int, ef_construction: int, rng: np.random.Generator
    ) -> None:
        hold_construction(vectors, m, ef_construction)
        self._vectors = vectors.copy()
        self._levels = draw_levels(len(vectors), m=m, rng=rng).tolist()
        self._m = m
        self._entry = 0
        self._top = -1
        most = len(vectors)  # no vector has as many links
        limits = [min(m if level else 2 * m, most) for level in range(max(self._levels, default=-1) + 1)]
        self._links = [np.zeros((len(vectors), limit + 1), dtype=np.int64) for limit in limits]  # one more: just added
        self._degrees = [[0] * len(vectors) for _ in limits]
        self._visit = 0  # number of the search under way
        self._visited = np.zeros(len(vectors), dtype=np.int64)  # the last search that met each vector
        for index, level in enumerate(self._levels):
            self._insert(index, level, ef_construction)

    @property
    def graph(self) -> list[dict[int, list[int]]]:
        return [
            {index: links[index, : degrees[index]].tolist() for index, top in enumerate(self._levels) if top >= level}
            for level, (links, degrees) in enumerate(zip(self._links, self._degrees, strict=True))
        ]

    @checked
    def search(
        self, queries: Float64[np.ndarray, "Q D"], k: int, *, ef: int
    ) -> tuple[Int64[np.ndarray, "Q k"], Float64[np.ndarray, "Q k"]]:
        """Find for each query `k` vectors near it, as `HNSW.search`.

        Args:
            queries: finite, of the vectors' width.
            k: from 0 to N.
            ef: vectors kept while searching, `k` or more.
        Returns:
            Indices and squared distances; -1 and inf where the graph leads to no more.
        Raises:
            ValueError: a value is not finite, a query has another width, `k` is negative or larger than N, or `ef` is
                below `k` or 1, or a squared distance overflows.

        Cost: about O(Q·ef·M·(D + log ef)·log N).

        >>> index = FastHNSW(np.array([[0.0], [5.0]]), m=2, ef_construction=4, rng=np.random.default_rng(0))
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
            distances[row, : len(found)], indices[row, : len(found)] = zip(*found, strict=True)
        hold_found(indices, distances)
        return indices, distances

    def _insert(self, index: int, level: int, ef_construction: int) -> None:
        vector = self._vectors[index]
        found = self._descend(vector, level) if index else []
        for shared in range(min(level, self._top), -1, -1):
            found = self._search_level(vector, found, ef_construction, shared)
            chosen = self._select(vector, np.array([other for _, other in found]), self._m)
            self._links[shared][index, : len(chosen)] = chosen
            self._degrees[shared][index] = len(chosen)
            for other in chosen.tolist():
                self._link(other, index, shared)
        if level > self._top:
            self._entry, self._top = index, level

    def _link(self, index: int, other: int, level: int) -> None:
        links, degree = self._links[level][index], self._degrees[level][index]
        links[degree] = other
        if degree + 1 == len(links):
            chosen = self._select(self._vectors[index], links, len(links) - 1)
            degree = len(chosen) - 1
            links[: len(chosen)] = chosen
        self._degrees[level][index] = degree + 1

    def _select(
        self, point: Float64[np.ndarray, " D"], candidates: Int64[np.ndarray, " C"], m: int
    ) -> Int64[np.ndarray, " m"]:
        """Algorithm 4: a kept i drops every j that is nearer to i than to the point.

        With y relative to the point, |y_j - y_i|² < |y_j|² holds exactly if |y_i|² < 2·y_i·y_j.
        """
        offsets = self._vectors[candidates] - point  # (C, D)
        distances = np.einsum("cd,cd->c", offsets, offsets)
        order = np.lexsort((candidates, distances))
        drops = distances[:, None] < 2 * (offsets @ offsets.T)  # (C, C): the first drops the second
        dropped = np.zeros(len(candidates), dtype=bool)
        kept: list[int] = []
        for place in order.tolist():
            if not dropped[place]:
                kept.append(place)
                dropped |= drops[place]
                if len(kept) == m:
                    break
        return candidates[kept]

    def _descend(self, query: Float64[np.ndarray, " D"], level: int) -> Found:
        offset = self._vectors[self._entry] - query
        found = [(float(np.einsum("d,d->", offset, offset)), self._entry)]
        for higher in range(self._top, level, -1):
            found = self._search_level(query, found, 1, higher)
        return found

    def _search_level(self, query: Float64[np.ndarray, " D"], entries: Found, ef: int, level: int) -> Found:
        links, degrees, visited, vectors = self._links[level], self._degrees[level], self._visited, self._vectors
        self._visit += 1
        visited[[index for _, index in entries]] = self._visit
        candidates = list(entries)  # in order, hence a heap, the nearest on top
        found = [(-distance, -index) for distance, index in candidates[:ef]]
        heapify(found)  # the farthest on top
        while candidates:
            distance, nearest = heappop(candidates)
            if (-distance, -nearest) < found[0]:
                break
            around = links[nearest, : degrees[nearest]]
            fresh = around[visited[around] != self._visit]
            visited[fresh] = self._visit
            offsets = vectors[fresh] - query
            for near in zip(np.einsum("fd,fd->f", offsets, offsets).tolist(), fresh.tolist(), strict=True):
                entry = (-near[0], -near[1])
                if len(found) < ef:
                    heappush(found, entry)
                    heappush(candidates, near)
                elif entry > found[0]:
                    heapreplace(found, entry)
                    heappush(candidates, near)
        return sorted((-distance, -index) for distance, index in found)
