"""One ranking out of several, by ranks alone. Not covered: weights, fusion of scores."""

from collections.abc import Sequence
from fractions import Fraction

from reference.checked import checked
from reference.values import at_least


@checked
def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], *, k: int = 60) -> list[tuple[int, float]]:
    """Fuse rankings of documents: who stands high in several stands highest.

    score(d) = sum over rankings that contain d of 1 / (k + rank of d), ranks from 1. A ranking without d adds 0.
    Scores are compared as exact fractions; of equal ones the lowest document index comes first. Every document of any
    ranking is returned; no ranking, or only empty ones: none.

    Source: Cormack, Clarke and Büttcher 2009, SIGIR (Reciprocal rank fusion).
    Departs from it: ties are decided.

    Args:
        rankings: document indices, the best first, each at most once a ranking.
        k: how little the top ranks stand out, 0 or more.
    Returns:
        Document indices with their scores, the best first.
    Raises:
        ValueError: `k` is negative, a document index is, or one stands twice in a ranking.

    Cost: O(R·L·log(R·L)) for R rankings of length L.

    >>> reciprocal_rank_fusion([[7, 2], [7, 5], [5]], k=0)
    [(7, 2.0), (5, 1.5), (2, 0.5)]
    >>> [index for index, _ in reciprocal_rank_fusion([[3, 1], [1, 3]])]              # equal: the lowest first
    [1, 3]
    """
    at_least("k", k, 0)
    scores: dict[int, Fraction] = {}
    for ranking in rankings:
        _require_distinct(ranking)
        for rank, index in enumerate(ranking, start=1):
            scores[index] = scores.get(index, Fraction(0)) + Fraction(1, k + rank)
    fused = sorted(scores, key=lambda index: (-scores[index], index))
    return [(index, float(scores[index])) for index in fused]


def _require_distinct(ranking: Sequence[int]) -> None:
    seen: set[int] = set()
    for index in ranking:
        if not isinstance(index, int):
            raise TypeError(f"rankings: expected integers, got {index!r}")
        at_least("document index", index, 0)
        if index in seen:
            raise ValueError(f"rankings: expected each document once a ranking, got {index} twice")
        seen.add(index)
