"""What rankings are worth: ir_measures computes, on runs in which nothing is left for it to decide.

pytrec_eval, behind it, breaks ties by document id, drops queries without rows and lets NaN through: it is given
strictly falling scores, and ir_measures gives 0 to a query that it drops. Not covered: means and intervals (`quality`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import MissingExtra
from harness.metrics.retrieval.ranking import Ranking
from harness.metrics.retrieval.topics import Topics

Values = np.ndarray[Any, np.dtype[np.float64]]

DEPTH = 10  # of nDCG and of the reciprocal rank


def names(k: int) -> tuple[str, str, str]:
    """Of what is measured with k rows a query, the headline first."""
    return f"ndcg@{DEPTH}", f"recall@{k}", f"rr@{DEPTH}"


def score(rankings: Sequence[Ranking], topics: Topics) -> Mapping[str, Values]:
    """nDCG@10, recall at k and RR@10 of each query, in the order of the queries.

    nDCG: gain is the grade (linear) and the discount log2(rank + 1). Relevant is a grade of 1 or more. RR@10 is
    1 / rank of the first relevant document among ten, else 0.

    Source: Järvelin and Kekäläinen 2002, ACM Transactions on Information Systems 20(4), as trec_eval computes it.

    Raises:
        MissingExtra: ir_measures is not installed.
    """
    try:
        import ir_measures  # here: a self-check starts without it
    except ImportError as missing:
        raise MissingExtra("ir_measures") from missing
    ndcg, recall, reciprocal = names(topics.k)
    measures = {
        ir_measures.nDCG @ DEPTH: ndcg,
        ir_measures.R @ topics.k: recall,
        ir_measures.RR @ DEPTH: reciprocal,
    }
    judged = {str(q): {str(d): grade for d, grade in grades.items()} for q, grades in enumerate(topics.grades)}
    values = {name: np.full(len(rankings), np.nan) for name in measures.values()}
    for found in ir_measures.evaluator(list(measures), judged).iter_calc(_run(rankings)):
        values[measures[found.measure]][int(found.query_id)] = found.value
    return values


def _run(rankings: Sequence[Ranking]) -> dict[str, dict[str, float]]:
    """Places as names; scores fall by 1 from row to row, which float32 keeps apart."""
    return {
        str(query): {str(document): float(-rank) for rank, document in enumerate(ranking.documents.tolist())}
        for query, ranking in enumerate(rankings)
    }


def chance(topics: Topics) -> Mapping[str, float]:
    """What a ranking in random order is expected to reach, from the same formulas, over the whole collection.

    Args:
        topics: of N documents, R of them relevant to a query.
    """
    n = len(topics.documents)
    discounts = [1 / math.log2(rank + 1) for rank in range(1, DEPTH + 1)]
    totals = np.zeros(3)
    for grades, relevant in zip(topics.grades, topics.relevant().tolist(), strict=True):
        best = sorted(grades.values(), reverse=True)[:DEPTH]
        ideal = sum(grade * discount for grade, discount in zip(best, discounts, strict=False))
        totals += (
            sum(grades.values()) / n * sum(discounts[:n]) / ideal,
            min(topics.k, n) / n,
            _expected_reciprocal(n, relevant),
        )
    return dict(zip(names(topics.k), (totals / len(topics.queries)).tolist(), strict=True))


def _expected_reciprocal(n: int, relevant: int) -> float:
    """Of RR@10 for a random order: sum over ranks of P(first relevant document there) / rank."""
    none_yet, expected = 1.0, 0.0
    for rank in range(1, min(DEPTH, n) + 1):
        here = min(1.0, relevant / (n - rank + 1))
        expected += none_yet * here / rank
        none_yet *= 1 - here
    return expected


def best(topics: Topics) -> Mapping[str, float]:
    """The most that any ranking reaches: 1, but for the recall of queries with more than k relevant documents."""
    relevant = topics.relevant()
    ndcg, recall, reciprocal = names(topics.k)
    return {ndcg: 1.0, recall: float(np.mean(np.minimum(topics.k, relevant) / relevant)), reciprocal: 1.0}
