"""Which of the neighbours found are true ones: the grader's own distances, ties counted as hits.

Not covered: how fast they were found (`approximate`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.contract import Refused
from harness.metrics.retrieval.plain import Floats, as_array, identifier, shown
from harness.records import Text

TIE = 1e-3  # relative: as far as float32 and quantised distances of equal neighbours differ
CHUNK_ENTRIES = 1 << 23  # distances held at once: 64 MiB of float64
NOTHING = -1  # in place of a neighbour that was not found, as faiss writes it

Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What to search: Euclidean nearest neighbours of fresh queries. For cosines, give vectors of length 1.

    Every query is asked once: they are dealt out over settings and rounds.
    """

    vectors: Floats  # (N, D), finite
    queries: Floats  # (Q, D), finite
    k: int = 10  # neighbours a query
    recall: float = 0.9  # what the headline's speed must reach

    def __post_init__(self) -> None:
        """Refuse what cannot be searched.

        Raises:
            ConfigurationError: wrong shapes, values that are not finite, `k` beyond the collection, `recall` out of
            range.
        """
        shapes = np.shape(self.vectors), np.shape(self.queries)
        if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][1] != shapes[1][1] or 0 in shapes[0] + shapes[1]:
            raise _wrong(f"vectors and queries have the shapes {shapes[0]} and {shapes[1]}", "Give (N, D) and (Q, D).")
        if not (np.isfinite(self.vectors).all() and np.isfinite(self.queries).all()):
            raise _wrong("vectors or queries are not finite", "Remove NaN and infinity.")
        if type(self.k) is not int or not 1 <= self.k <= shapes[0][0]:
            raise _wrong(f"k is {self.k!r} for {shapes[0][0]} vectors", "Give a whole number from 1 to that.")
        if not 0 < self.recall <= 1:
            raise _wrong(f"recall is {self.recall!r}", "Give a share above 0, 1 at most.")


def found_by(answer: Any, n_queries: int, task: Neighbours) -> Places:
    """The places that `answer` names, (n_queries, k); -1 where fewer were found, which misses.

    Raises:
        Refused: not_neighbours, unknown_id or duplicate_id.
    """
    table = as_array(answer)
    if table is None:
        table = _table(answer, n_queries, task.k)
    if table.dtype.kind not in "iu" or table.shape != (n_queries, task.k):
        raise _not_neighbours(f"array {table.dtype} {table.shape}", n_queries, task.k)
    n = len(task.vectors)
    outside = (table < NOTHING) | (table >= n)
    if outside.any():
        raise Refused(
            "unknown_id",
            Text(
                f"Le voisin {shown(table[outside][0])} n'existe pas : les vecteurs portent les numéros 0 à {n - 1}, et"
                " -1 signifie « rien trouvé ».",
                f"Neighbour {shown(table[outside][0])} does not exist: the vectors are numbered 0 to {n - 1}, and -1"
                " means “nothing found”.",
            ),
        )
    found = table.astype(np.int64)
    ordered = np.sort(found, axis=1)
    twice = (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] != NOTHING)
    if twice.any():
        raise _duplicate(int(ordered[:, 1:][twice][0]))
    return found


def recall(queries: Floats, found: Places, task: Neighbours) -> Floats:
    """For each query the share of k that is as near as the k-th nearest vector, or farther by a thousandth at most.

    Only which vectors were found counts: all distances are computed here, in float64, from differences, so that equal
    vectors are at distance 0 and nothing cancels.

    Args:
        queries: (q, D).
        found: (q, k) places, each once a row or -1.

    Cost: O(q·N·D).
    """
    from scipy.spatial.distance import cdist  # here: takes a tenth of a second that a self-check need not wait for

    vectors = np.asarray(task.vectors, dtype=np.float64)
    step = max(1, CHUNK_ENTRIES // len(vectors))
    shares = np.empty(len(queries))
    for start in range(0, len(queries), step):
        chunk = slice(start, start + step)
        distances = cdist(np.asarray(queries[chunk], dtype=np.float64), vectors)
        limit = np.partition(distances, task.k - 1, axis=1)[:, [task.k - 1]] * (1 + TIE)
        near = np.take_along_axis(distances, np.maximum(found[chunk], 0), axis=1) <= limit
        shares[chunk] = (near & (found[chunk] != NOTHING)).sum(axis=1) / task.k
    return shares


def _table(answer: Any, n_queries: int, k: int) -> Places:
    """Lists of at most k places as a table, -1 in what is left."""
    if not isinstance(answer, list | tuple) or len(answer) != n_queries:
        length = f" ({len(answer)})" if isinstance(answer, list | tuple) else ""
        raise _not_neighbours(f"{type(answer).__name__}{length}", n_queries, k)
    table = np.full((n_queries, k), NOTHING)
    for row, places in enumerate(answer):
        column = as_array(places)
        one = places if column is None else column.tolist()
        whole = [identifier(place) for place in one[: k + 1]] if isinstance(one, list | tuple) else [None]
        if len(whole) > k or not all(isinstance(place, int) and abs(place) < 1 << 62 for place in whole):
            raise _not_neighbours(f"[{row}] → {type(places).__name__}", n_queries, k)
        table[row, : len(whole)] = whole
    return table


def _not_neighbours(found: str, n_queries: int, k: int) -> Refused:
    return Refused(
        "not_neighbours",
        Text(
            f"Pour {n_queries} requêtes et k = {k}, il faut un tableau d'entiers de forme ({n_queries}, {k}), ou une"
            f" liste de {n_queries} listes de {k} numéros au plus : reçu {found}. Renvoyez les numéros des vecteurs,"
            " pas leurs distances.",
            f"For {n_queries} queries and k = {k}, an array of integers of shape ({n_queries}, {k}) is needed, or a"
            f" list of {n_queries} lists of at most {k} numbers: got {found}. Return the numbers of the vectors, not"
            " their distances.",
        ),
    )


def _duplicate(place: int) -> Refused:
    return Refused(
        "duplicate_id",
        Text(
            f"Le voisin {place} apparaît deux fois pour une même requête ; il compterait double. Notez les nœuds déjà"
            " visités.",
            f"Neighbour {place} stands twice for one query; it would count twice. Keep track of the nodes visited.",
        ),
    )


def _wrong(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"neighbours cannot be searched: {what}", remedy=remedy)
