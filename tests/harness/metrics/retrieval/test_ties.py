"""Equal scores earn what chance gives, and no order, name or trick of types decides between them."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from harness.metrics.retrieval import measure
from harness.metrics.retrieval.answers import Rows
from harness.metrics.retrieval.quality import rank
from harness.metrics.retrieval.ranking import Secret, rerank
from harness.metrics.retrieval.scoring import chance, score
from harness.metrics.retrieval.topics import topics

TIED = "Share of tied rows, ordered at random"


def values_of(run, asked, rng):
    return score(rank(run, asked, secret=Secret.drawn(asked, rng), rng=rng), asked)


def in_random_order(asked, rng):
    """All documents, with scores that nobody ties."""
    return np.stack([rng.permutation(len(asked.documents)) for _ in asked.queries])


def test_constant_scores_earn_what_a_random_order_earns(drawn):
    """Over 300 random sets of judgments, within four standard errors of random rankings and of the expectation."""
    rng = np.random.default_rng(1)
    gaps = {"ndcg@10": [], "recall@20": [], "rr@10": []}
    above = {name: [] for name in gaps}
    for _ in range(300):
        task = drawn(rng, n_documents=50, n_queries=8)
        asked = topics(task["documents"], task["queries"], task["qrels"], 20)
        constant = values_of(np.full((8, 50), 0.5), asked, rng)
        shuffled = values_of(in_random_order(asked, rng), asked, rng)
        for name in gaps:
            gaps[name].append(np.mean(constant[name] - shuffled[name]))
            above[name].append(np.mean(constant[name]) - chance(asked)[name])
    for found in (*gaps.values(), *above.values()):
        assert abs(np.mean(found)) <= 4 * stats.sem(found)
        assert stats.sem(found) < 0.01


def test_what_chance_gives_is_the_mean_over_all_orders():
    """Of six documents, fewer than nDCG looks at, and of six among which recall looks at all."""
    documents = range(6)
    asked = topics(documents, {"q": "", "r": ""}, {"q": {0: 3, 1: 1, 4: 0}, "r": {5: 1}}, 10)
    secret = Secret.drawn(asked, np.random.default_rng(1))
    orders = [
        score([rerank(Rows(np.arange(6), np.array(order, np.float32)), q, k=10, secret=secret) for q in (0, 1)], asked)
        for order in permutations(documents)
    ]
    for name, expected in chance(asked).items():
        assert np.mean([values[name] for values in orders]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("trick", ["best first", "best last", "ids sorted", "ids reversed"])
def test_the_order_of_tied_rows_gains_nothing(drawn, trick):
    """Rows placed, or documents named, so that another tool's tie rule would put the relevant ones first."""
    rng = np.random.default_rng(2)
    task = drawn(rng, n_documents=50, n_queries=40)
    run, as_given = {}, {}
    for query, judged in task["qrels"].items():
        plain = [(document, 1.0) for document in task["documents"]]
        order = {
            "best first": lambda row, judged=judged: -judged.get(row[0], 0),
            "best last": lambda row, judged=judged: judged.get(row[0], 0),
            "ids sorted": lambda row: str(row[0]),
            "ids reversed": lambda row: tuple(-ord(letter) for letter in str(row[0])),
        }[trick]
        as_given[query], run[query] = plain, sorted(plain, key=order)
    assert run != as_given
    clever, plain = (measure(one, rng=np.random.default_rng(3), **task) for one in (run, as_given))
    assert clever == plain


def test_names_of_documents_decide_nothing():
    """Relevant documents called "zzz…", which trec_eval's rule puts first, are at chance with all others."""
    documents = [f"zzz{i}" for i in range(10)] + [f"a{i}" for i in range(90)]
    queries = dict.fromkeys(range(400), "")
    qrels = {i: dict.fromkeys(documents[:10], 1) for i in queries}
    asked = topics(documents, queries, qrels, 100)
    found = values_of(np.zeros((400, 100)), asked, np.random.default_rng(4))
    for name, expected in chance(asked).items():
        values = found[name]
        assert abs(np.mean(values) - expected) <= 4 * np.std(values) / 20 + 1e-12


def test_every_order_of_three_tied_documents_is_as_likely():
    queries = dict.fromkeys(range(3000), "")
    asked = topics(range(3), queries, {i: {0: 1} for i in queries}, 10)
    rng = np.random.default_rng(5)
    rankings = rank(np.zeros((3000, 3)), asked, secret=Secret.drawn(asked, rng), rng=rng)
    counts = Counter(tuple(ranking.documents.tolist()) for ranking in rankings)
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_orders_of_two_queries_are_independent():
    """Each of the 36 pairs of orders as often as the others: luck at one query is none at the next."""
    pairs = Counter()
    for seed in range(2000):
        asked = topics(range(3), {0: "", 1: ""}, {0: {0: 1}, 1: {0: 1}}, 10)
        rng = np.random.default_rng(seed)
        one, two = rank(np.zeros((2, 3)), asked, secret=Secret.drawn(asked, rng), rng=rng)
        pairs[(*one.documents.tolist(), *two.documents.tolist())] += 1
    assert len(pairs) == 36
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-4


@pytest.mark.parametrize(
    ("scores", "share"),
    [
        ([3.0, 2.0, 1.0, 0.5], 0.0),
        ([1.0, 1.0, 0.5, 0.25], 0.5),
        ([0.0, -0.0, 1.0, 2.0], 0.5),
        ([1.0, 1.0 + 1e-9, 2.0, 3.0], 0.5),  # equal as float32
        ([1e-60, 0.0, 1.0, 2.0], 0.5),  # below float32's least
        ([2**24, 2**24 + 1, 1, 2], 0.5),
        ([7, 7.0, np.float16(7), 7], 1.0),
    ],
)
def test_the_share_of_ties_is_reported(scores, share):
    task = {"documents": range(4), "queries": {"q": "", "r": ""}, "qrels": {"q": {0: 1}, "r": {0: 1}}}
    rows = list(enumerate(scores))
    found = measure({"q": rows, "r": rows}, rng=np.random.default_rng(1), **task)
    assert {fact.name.en: fact.value for fact in found[0].facts}[TIED] == share


def test_rows_tied_with_those_beyond_k_are_tied():
    """10 of 30 equal documents are kept: which ones is chance, and all of them are reported as ties."""
    task = {"documents": range(40), "queries": {"q": "", "r": ""}, "qrels": {"q": {0: 1}, "r": {0: 1}}}
    scores = np.r_[np.arange(10, 15), np.zeros(30), -np.ones(5)]
    found = measure({"q": scores, "r": scores}, rng=np.random.default_rng(1), k=10, **task)
    assert {fact.name.en: fact.value for fact in found[0].facts}[TIED] == 0.5
    assert found[1].value == 1.0


def test_scores_far_apart_are_ranked_without_overflow():
    largest = float(np.finfo(np.float32).max)
    task = {"documents": range(2), "queries": {"q": "", "r": ""}, "qrels": {"q": {0: 1}, "r": {0: 1}}}
    run = {query: [(1, -largest), (0, largest)] for query in "qr"}
    assert measure(run, rng=np.random.default_rng(1), **task)[0].value == 1.0
