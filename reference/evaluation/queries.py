"""From scores to rankings, and from queries to a mean. Not covered: the measures themselves (`retrieval`)."""

import math
from collections.abc import Callable, Mapping

from reference.checked import checked
from reference.evaluation.retrieval import Ranking, Relevance
from reference.values import at_least


@checked
def rank_by_score(scores: Mapping[str, float]) -> list[str]:
    """Order documents by score, the highest first. Ties: the lexicographically greatest id first, as trec_eval.

    Source: trec_eval 9, form_res_rels.c (ties by descending document id).

    Args:
        scores: id of a document -> score.
    Raises:
        ValueError: a score is NaN or infinite.

    Cost: O(n log n).

    >>> rank_by_score({"a": 1.0, "b": 2.0, "c": 1.0})
    ['b', 'c', 'a']
    """
    for document, score in scores.items():
        if not math.isfinite(score):
            raise ValueError(f"scores: expected finite scores, got {score} for {document!r}")
    return sorted(sorted(scores, reverse=True), key=lambda document: -scores[document])


@checked
def mean_over_queries(
    measure: Callable[[Ranking, Relevance], float],
    rankings: Mapping[str, Ranking],
    relevance: Mapping[str, Relevance],
) -> float:
    """Mean of a measure over all judged queries; one without a ranking scores 0. MRR, MAP and mean nDCG are such means.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.4.

    Args:
        measure: of one query, such as `reciprocal_rank`, or a `functools.partial` of one with its k.
        rankings: id of a query -> ranking.
        relevance: id of a query -> judgments.
    Raises:
        ValueError: no judged query, or a ranking of a query that nobody judged.

    Cost: that of the measure, for each query.

    >>> from reference.evaluation.retrieval import reciprocal_rank
    >>> mean_over_queries(reciprocal_rank, {"q1": ["b", "a"]}, {"q1": {"a": 1}, "q2": {"a": 1}})
    0.25
    """
    at_least("number of judged queries", len(relevance), 1)
    unknown = sorted(rankings.keys() - relevance.keys())
    if unknown:
        raise ValueError(f"rankings: expected judged queries, got {unknown[0]!r}")
    return math.fsum(measure(rankings.get(query, []), judged) for query, judged in relevance.items()) / len(relevance)
