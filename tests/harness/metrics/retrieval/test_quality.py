"""nDCG@10, recall and RR@10 against the definitions by brute force, and how students' functions are asked."""

import math

import numpy as np
import pytest
import torch

from harness.metrics.retrieval import measure
from harness.metrics.retrieval.quality import rank
from harness.metrics.retrieval.ranking import Secret
from harness.metrics.retrieval.scoring import score
from harness.metrics.retrieval.topics import topics
from harness.records import Better
from reference import evaluation

TINY = {
    "documents": ["a", "b", "c", "d"],
    "queries": {"q": "one", "r": "two"},
    "qrels": {"q": {"a": 2, "b": 1}, "r": {"c": 1}},
}


def by_definition(ranking, grades, k):
    """nDCG@10, recall at k, RR@10, written down from their definitions alone."""

    def dcg(gains):
        total = 0.0
        for position, gain in enumerate(gains):
            total += gain / math.log(position + 2, 2)
        return total

    gains = [grades.get(document, 0) for document in ranking]
    ideal = dcg(sorted(grades.values())[::-1][:10])
    relevant = {document for document, grade in grades.items() if grade > 0}
    first = [position + 1 for position, document in enumerate(ranking[:10]) if document in relevant]
    return dcg(gains[:10]) / ideal, len(relevant & set(ranking[:k])) / len(relevant), 1 / first[0] if first else 0.0


def by_reference(ranking, grades, k):
    as_text = [repr(document) for document in ranking]
    judged = {repr(document): grade for document, grade in grades.items()}
    return (
        evaluation.ndcg(as_text, judged, k=10),
        evaluation.recall(as_text, judged, k=k),
        evaluation.reciprocal_rank(as_text, judged, k=10),
    )


def untied_run(rng, task, k):
    """For most queries, up to k documents in a random order, with falling scores, then shuffled."""
    run, rankings = {}, {}
    for query in task["queries"]:
        n = int(rng.integers(0, min(k, len(task["documents"])) + 1))
        ranking = [task["documents"][i] for i in rng.permutation(len(task["documents"]))[:n].tolist()]
        scores = np.sort(rng.choice(10_000, size=n, replace=False))[::-1] / 64 - 50
        pairs = list(zip(ranking, scores.tolist(), strict=True))
        rng.shuffle(pairs)
        rankings[query] = ranking
        if n or rng.random() < 0.5:
            run[query] = pairs
    return run, rankings


def test_a_thousand_random_runs_equal_the_definition_and_the_reference(drawn):
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(1000):
        k = 100
        task = drawn(rng, n_documents=int(rng.integers(5, 250)), n_queries=int(rng.integers(2, 6)))
        run, rankings = untied_run(rng, task, k)
        asked = topics(task["documents"], task["queries"], task["qrels"], k)
        values = score(rank(run, asked, secret=Secret.drawn(asked, rng), rng=rng), asked)
        for place, query in enumerate(task["queries"]):
            found = [values[name][place] for name in ("ndcg@10", f"recall@{k}", "rr@10")]
            for oracle in (by_definition, by_reference):
                expected = oracle(rankings[query], task["qrels"][query], k)
                worst = max(worst, *np.abs(np.subtract(found, expected)))
    assert worst <= 1e-9


def test_what_is_reported_is_the_mean_over_all_queries(drawn):
    rng = np.random.default_rng(2)
    task = drawn(rng, n_documents=300, n_queries=60)
    run, rankings = untied_run(rng, task, 100)
    found = measure(run, rng=rng, **task)
    expected = np.mean([by_definition(rankings[q], task["qrels"][q], 100) for q in task["queries"]], axis=0)
    assert [one.name for one in found] == ["ndcg@10", "recall@100", "rr@10"]
    assert [one.value for one in found] == pytest.approx(expected.tolist(), abs=1e-9)
    for one in found:
        assert 0 <= one.low < one.value < one.high <= 1
        assert one.better is Better.HIGHER
        assert one.oracle == 1.0
        assert one.title.fr
        assert one.title.en


def test_an_instructor_s_one_line(student):
    """A function that scores words in common, asked through `map` with the text and k."""
    texts = {"a": "le chat dort", "b": "le chien", "c": "un oiseau", "d": ""}
    asked = {"q": "chat dort", "r": "oiseau"}

    def search(question, k):
        shared = {name: len({*question.split()} & {*text.split()}) for name, text in texts.items()}
        return [(name, n) for name, n in shared.items() if n][:k]

    qrels = {"q": {"a": 1}, "r": {"c": 1}}
    found = measure(student(search), rng=np.random.default_rng(1), documents=texts, queries=asked, qrels=qrels)
    assert [one.value for one in found] == [1.0, 1.0, 1.0]


def test_queries_are_asked_in_another_order_each_run(student):
    queries = {i: f"question {i}" for i in range(40)}
    task = {"documents": range(20), "queries": queries, "qrels": {i: {i % 20: 1} for i in queries}}
    orders = []
    for seed in range(3):
        search = student(lambda question, k: [(int(question.split()[1]) % 20, 1.0)])
        found = measure(search, rng=np.random.default_rng(seed), **task)
        assert found[0].value == 1.0  # each answer went to its own query
        assert {k for _, k in search.asked} == {100}
        orders.append([question for question, _ in search.asked])
        assert sorted(orders[-1]) == sorted(queries.values())
    assert len({tuple(order) for order in [*orders, queries.values()]}) == 4


def test_a_function_that_counts_its_calls_learns_nothing(student):
    """It knows all the answers in the order of the statement, and returns the next one at each call."""
    queries = dict.fromkeys(range(200), "?")
    task = {"documents": range(200), "queries": queries, "qrels": {i: {i: 1} for i in queries}}
    calls = iter(range(200))
    found = measure(student(lambda *_: [(next(calls), 1.0)]), rng=np.random.default_rng(3), **task)
    assert found[0].value <= 0.03  # one or two of 200 by chance


def test_a_tuple_is_all_the_arguments(student):
    task = {**TINY, "queries": {"q": ("one", "two"), "r": (np.ones(2),)}}
    search = student(lambda *args: [])
    measure(search, rng=np.random.default_rng(1), **task)
    assert sorted(map(len, search.asked)) == [1, 2]


A, C = [("a", 3.0), ("b", 2.0)], [("c", 1.0)]
LOW = float(np.finfo(np.float32).min)


@pytest.mark.parametrize(
    "answers",
    [
        {"q": A, "r": C},
        {"r": [["c", 1]], "q": (("b", 2), ("a", 3))},
        {"q": {"a": 3, "b": np.float16(2)}, "r": {"c": -7}},
        {"q": np.array([3, 2, 1, 0]), "r": np.array([0.5, 0, 5, 0], "f2")},
        {"q": torch.tensor([3.0, 2, 1, 0], dtype=torch.bfloat16), "r": np.array([0, 0, 5, 0], ">i2")},
        {"q": [("a", torch.tensor(3)), ("b", np.array(2.5))], "r": [("c", 10**30)]},
        {"q": A, "r": [("c", 3e38), ("a", LOW)]},
        [A, C],
        (A, C),
        np.array([[3, 2, 1, 0], [0, 0, 5, 0]]),
        torch.tensor([[3.0, 2, 1, 0], [0, 0, 5, 0]]),
    ],
)
def test_forms_of_a_run(answers):
    found = measure(answers, rng=np.random.default_rng(1), **TINY)
    assert [one.value for one in found] == [1.0, 1.0, 1.0]


def test_two_arrays_are_ids_and_scores():
    """As top-k and faiss return them; a list of two pairs is still two pairs."""
    task = {"documents": range(50), "queries": {"q": "", "r": ""}, "qrels": {"q": {7: 1}, "r": {2: 1}}}
    ids, scores = np.array([9, 7]), np.array([0.25, 0.5])
    both = {"q": [ids, scores], "r": (torch.tensor([2]), torch.tensor([0.1]))}
    assert measure(both, rng=np.random.default_rng(1), **task)[0].value == 1.0
    pairs = {"q": ((9, 0.25), (7, 0.5)), "r": [(torch.tensor(2), 0.1)]}
    assert measure(pairs, rng=np.random.default_rng(1), **task)[0].value == 1.0


@pytest.mark.parametrize("left_out", [{}, {"r": []}, {"r": {}}, {"r": ()}])
def test_a_query_without_an_answer_scores_zero(left_out):
    """pytrec_eval would drop it and report 1."""
    found = measure({"q": A, **left_out}, rng=np.random.default_rng(1), **TINY)
    assert [one.value for one in found] == [0.5, 0.5, 0.5]
    assert facts(found[0])["Queries without any result (counted 0)"] == 1


def test_leaving_out_the_hard_queries_gains_nothing(drawn):
    rng = np.random.default_rng(5)
    task = drawn(rng, n_documents=200, n_queries=50)
    run, _ = untied_run(rng, task, 100)
    whole = measure(run, rng=np.random.default_rng(1), **task)
    for n in (1, 10, 49):
        fewer = measure(dict(list(run.items())[n:]), rng=np.random.default_rng(1), **task)
        assert all(some.value <= every.value for some, every in zip(fewer, whole, strict=True))


def test_one_query_moves_the_mean_by_its_share_at_most(drawn):
    """Driven to zero or to one, a single query cannot collapse or carry a mean of 50."""
    rng = np.random.default_rng(6)
    task = drawn(rng, n_documents=200, n_queries=50)
    run, _ = untied_run(rng, task, 100)
    whole = measure(run, rng=np.random.default_rng(1), **task)
    for query in list(run)[:5]:
        for answer in ([], list(task["qrels"][query].items())):
            other = measure({**run, query: answer}, rng=np.random.default_rng(1), **task)
            moved = [abs(one.value - two.value) for one, two in zip(other, whole, strict=True)]
            assert max(moved) <= 1 / 50 + 1e-12


def test_recall_has_the_depth_that_was_asked_for(drawn):
    rng = np.random.default_rng(7)
    task = drawn(rng, n_documents=60, n_queries=5)
    assert [one.name for one in measure({}, rng=rng, k=20, **task)] == ["ndcg@10", "recall@20", "rr@10"]


def test_the_best_there_can_be_counts_relevant_documents_beyond_k():
    documents = range(50)
    task = {"documents": documents, "queries": {0: "", 1: ""}, "qrels": {0: dict.fromkeys(range(40), 1), 1: {3: 1}}}
    found = measure({0: {i: 50 - i for i in range(10)}, 1: {3: 1}}, rng=np.random.default_rng(1), k=10, **task)
    assert [one.oracle for one in found] == [1.0, (10 / 40 + 1) / 2, 1.0]
    assert [one.value for one in found] == [1.0, (10 / 40 + 1) / 2, 1.0]


def test_the_same_seed_gives_the_same_figures(drawn):
    rng = np.random.default_rng(8)
    task = drawn(rng)
    run = {query: dict.fromkeys(task["documents"], 1.0) for query in task["queries"]}
    first, second, other = (measure(run, rng=np.random.default_rng(seed), **task) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def facts(measurement):
    return {fact.name.en: fact.value for fact in measurement.facts}
