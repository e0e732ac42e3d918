"""Measures of rankings, against ir_measures (trec_eval) and scikit-learn; rules for what neither of them accepts."""

import math
from functools import partial

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, nDCG
from sklearn.metrics import ndcg_score

from reference.evaluation import (
    average_precision,
    mean_over_queries,
    ndcg,
    precision,
    rank_by_score,
    recall,
    reciprocal_rank,
)

DEPTHS = (1, 3, 10, 40)
PAIRS = [  # ours, its name there, with and without a depth
    *(
        (measure, there @ k, k)
        for k in DEPTHS
        for measure, there in (
            (precision, P),
            (recall, R),
            (reciprocal_rank, RR),
            (average_precision, AP),
            (ndcg, nDCG),
        )
    ),
    (reciprocal_rank, RR, None),
    (average_precision, AP, None),
    (ndcg, nDCG, None),
]


@pytest.fixture
def queries(rng: np.random.Generator):
    """Scores (with ties) and judgments (0 to 3, negative too) of thirty queries; some find nothing relevant."""
    documents = [f"d{number}" for number in range(60)]
    scores, judgments = {}, {}
    for number in range(30):
        retrieved = rng.choice(documents, size=rng.integers(1, 50), replace=False)
        scores[f"q{number}"] = {str(one): float(rng.integers(8)) for one in retrieved}
        judged = rng.choice(documents, size=rng.integers(1, 30), replace=False)
        judgments[f"q{number}"] = {str(one): int(rng.choice([-1, 0, 0, 1, 2, 3])) for one in judged}
    judgments["q0"] = dict.fromkeys(judgments["q0"], 0)
    return scores, judgments


@pytest.mark.parametrize(("measure", "there", "k"), PAIRS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_measures_are_those_of_trec_eval(measure, there, k, queries, proof) -> None:
    scores, judgments = queries
    depth = {} if k is None else {"k": k}
    rankings = {query: rank_by_score(found) for query, found in scores.items()}
    run = untied(rankings) if there.NAME == "RR" and k else scores  # RR@k there is MS MARCO's script: other ties
    for one in ir_measures.iter_calc([there], judgments, run):
        ours = measure(rankings[one.query_id], judgments[one.query_id], **depth)
        proof(measure, "ir_measures").close(ours, one.value, within=1e-15)
        if run is scores:
            proof(rank_by_score, "ir_measures").close(ours, one.value, within=1e-15)
    ours = mean_over_queries(partial(measure, **depth), rankings, judgments)
    theirs = ir_measures.calc_aggregate([there], judgments, run)[there]
    proof(mean_over_queries, "ir_measures").close(ours, theirs, within=1e-14)


def untied(rankings):
    return {query: {one: -float(rank) for rank, one in enumerate(ranking)} for query, ranking in rankings.items()}


def test_ndcg_is_that_of_scikit_learn(proof, rng) -> None:
    for _ in range(50):
        judgments, scores = rng.integers(0, 4, size=20), rng.permutation(20)
        ids = [f"d{i:02}" for i in range(20)]
        ours = ndcg(
            rank_by_score(dict(zip(ids, scores.astype(float).tolist(), strict=True))),
            dict(zip(ids, judgments.tolist(), strict=True)),
            k=7,
        )
        proof(ndcg, "scikit-learn ndcg_score").close(ours, ndcg_score([judgments], [scores], k=7), within=1e-15)


def test_a_query_without_a_ranking_scores_zero() -> None:
    judgments = {"q1": {"a": 1}, "q2": {"a": 1}}
    assert mean_over_queries(reciprocal_rank, {"q1": ["a"]}, judgments) == 0.5
    assert mean_over_queries(reciprocal_rank, {}, judgments) == 0.0


MEASURES = [partial(precision, k=5), partial(recall, k=5), reciprocal_rank, average_precision, ndcg]


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_found_and_nothing_relevant(measure) -> None:
    assert measure([], {"a": 1}) == 0.0
    assert measure(["a"], {}) == 0.0
    assert measure(["a"], {"a": 0}) == 0.0
    assert measure(["a"], {"a": -2}) == 0.0


@pytest.mark.parametrize("measure", MEASURES)
def test_a_document_found_twice(measure) -> None:
    with pytest.raises(ValueError, match="expected each document once, got 'b' twice"):
        measure(["a", "b", "b"], {"b": 1})


@pytest.mark.parametrize("measure", [precision, recall, reciprocal_rank, average_precision, ndcg])
def test_a_depth_below_one(measure) -> None:
    with pytest.raises(ValueError, match="k: expected 1 or more, got 0"):
        measure(["a"], {"a": 1}, k=0)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_order_nothing(score) -> None:
    with pytest.raises(ValueError, match=r"expected finite scores, got (nan|inf) for 'a'"):
        rank_by_score({"a": score})


def test_means_over_what_nobody_judged() -> None:
    with pytest.raises(ValueError, match="number of judged queries: expected 1 or more, got 0"):
        mean_over_queries(ndcg, {}, {})
    with pytest.raises(ValueError, match="expected judged queries, got 'q2'"):
        mean_over_queries(ndcg, {"q2": ["a"]}, {"q1": {"a": 1}})


def test_recall_refuses_a_bad_depth_and_a_double_id_also_without_a_relevant_document() -> None:
    with pytest.raises(ValueError, match="k: expected 1 or more, got 0"):
        recall(["a"], {}, k=0)
    with pytest.raises(ValueError, match="'a' twice"):
        recall(["a", "a"], {"a": 0}, k=2)


def test_one_text_is_not_taken_for_a_ranking_of_letters() -> None:
    with pytest.raises(TypeError, match="ranking: expected a sequence of ids, got the text 'abc'"):
        precision("abc", {"a": 1}, k=1)
