"""Measures of a ranking: precision, recall, reciprocal rank, average precision, nDCG, as trec_eval computes them.

A relevance judgment is a whole number; a document is relevant from 1 on, and one that nobody judged is not. All
measures of a query without a relevant document are 0. Not covered: ties and means over queries (`queries`),
significance.
"""

import math
from collections.abc import Mapping, Sequence

from reference.checked import checked
from reference.values import at_least

Ranking = Sequence[str]  # ids of documents, the best first, none twice
Relevance = Mapping[str, int]  # id of a document -> judgment


@checked
def precision(ranking: Ranking, relevance: Relevance, *, k: int) -> float:
    """Say which share of the first k documents is relevant; a ranking shorter than k is divided by k all the same.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, sections 8.3 and 8.4.

    Args:
        ranking: ids, the best first.
        relevance: judgments of the query.
        k: depth, 1 or more.
    Raises:
        ValueError: `k` is below 1, or an id stands twice in the ranking.

    Cost: O(n).

    >>> precision(["a", "b", "c"], {"a": 1, "c": 2, "d": 1}, k=2)
    0.5
    """
    return sum(_hits(ranking, relevance, k)) / k


@checked
def recall(ranking: Ranking, relevance: Relevance, *, k: int) -> float:
    """Say which share of the relevant documents is among the first k.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.3.

    Args:
        ranking: ids, the best first.
        relevance: judgments of the query.
        k: depth, 1 or more.
    Raises:
        ValueError: `k` is below 1, or an id stands twice in the ranking.

    Cost: O(n + judgments).

    >>> recall(["a", "b", "c"], {"a": 1, "c": 2, "d": 1, "b": 0}, k=2)
    0.3333333333333333
    """
    n_found, n_relevant = sum(_hits(ranking, relevance, k)), _n_relevant(relevance)
    return n_found / n_relevant if n_relevant else 0.0


@checked
def reciprocal_rank(ranking: Ranking, relevance: Relevance, *, k: int | None = None) -> float:
    """1 / rank of the first relevant document, 0 where there is none. Its mean over queries is the MRR.

    Source: Voorhees 1999, The TREC-8 Question Answering Track Report.

    Args:
        ranking: ids, the best first.
        relevance: judgments of the query.
        k: depth; None: the whole ranking.
    Raises:
        ValueError: `k` is below 1, or an id stands twice in the ranking.

    Cost: O(n).

    >>> reciprocal_rank(["a", "b", "c"], {"b": 1, "c": 1})
    0.5
    """
    return next((1 / rank for rank, hit in enumerate(_hits(ranking, relevance, k), start=1) if hit), 0.0)


@checked
def average_precision(ranking: Ranking, relevance: Relevance, *, k: int | None = None) -> float:
    """Mean, over the relevant documents, of the precision at their ranks; one that is not found gives 0.

    Its mean over queries is the MAP.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.4.

    Args:
        ranking: ids, the best first.
        relevance: judgments of the query.
        k: depth; None: the whole ranking. All relevant documents count in the mean, however small k is.
    Raises:
        ValueError: `k` is below 1, or an id stands twice in the ranking.

    Cost: O(n + judgments).

    >>> average_precision(["a", "b", "c"], {"a": 1, "c": 1})      # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    n_relevant = _n_relevant(relevance)
    found, total = 0, 0.0
    for rank, hit in enumerate(_hits(ranking, relevance, k), start=1):
        found += hit
        total += found / rank if hit else 0.0
    return total / n_relevant if n_relevant else 0.0


@checked
def ndcg(ranking: Ranking, relevance: Relevance, *, k: int | None = None) -> float:
    """Discounted gain of the ranking, as a share of that of the best ranking there is.

    DCG = sum over ranks i of gain_i / log2(i + 1), gain = the judgment itself (linear), 0 where it is negative.

    Source: Järvelin and Kekäläinen 2002, ACM Transactions on Information Systems 20(4), as in ndcg_cut of trec_eval
    9.0.
    Departs from it: the discount is log2(i + 1) from the first rank on (the paper: log_b(i), from rank b on).

    Args:
        ranking: ids, the best first.
        relevance: judgments of the query.
        k: depth of both rankings; None: no limit.
    Returns:
        Between 0 and 1.
    Raises:
        ValueError: `k` is below 1, or an id stands twice in the ranking.

    Cost: O(n + j log j) for j judgments.

    >>> ndcg(["a", "b"], {"a": 1, "b": 2}, k=10) == (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    True
    """
    gains = [max(relevance.get(document, 0), 0) for document in _first(ranking, k)]
    best = sorted((max(judgment, 0) for judgment in relevance.values()), reverse=True)[:k]
    ideal = _dcg(best)
    return _dcg(gains) / ideal if ideal else 0.0


def _hits(ranking: Ranking, relevance: Relevance, k: int | None) -> list[bool]:
    return [relevance.get(document, 0) >= 1 for document in _first(ranking, k)]


def _first(ranking: Ranking, k: int | None) -> Ranking:
    if k is not None:
        at_least("k", k, 1)
    if isinstance(ranking, str):
        raise TypeError(f"ranking: expected a sequence of ids, got the text {ranking!r}")
    if len(set(ranking)) < len(ranking):
        twice = next(document for document in ranking if ranking.count(document) > 1)
        raise ValueError(f"ranking: expected each document once, got {twice!r} twice")
    return ranking[:k]


def _n_relevant(relevance: Relevance) -> int:
    return sum(judgment >= 1 for judgment in relevance.values())


def _dcg(gains: Sequence[int]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
