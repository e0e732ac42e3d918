"""One system's quality on an assignment's queries: asked, validated, ranked anew, scored.

Not covered: several systems (`comparison`), approximate search against exact search (`approximate`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.metrics.contract import Asked, Measurement
from harness.metrics.retrieval import refusals
from harness.metrics.retrieval.answers import Rows, rows_of
from harness.metrics.retrieval.plain import Id, as_array, identifier
from harness.metrics.retrieval.ranking import Ranking, Secret, rerank
from harness.metrics.retrieval.scoring import DEPTH, best, chance, names, score
from harness.metrics.retrieval.topics import Topics, topics
from harness.metrics.retrieval.uncertainty import interval
from harness.records import Better, Fact, Text

DEFAULT_K = 100

QUERIES = Text("Requêtes", "Queries")
EMPTY = Text("Requêtes sans aucun résultat (comptées 0)", "Queries without any result (counted 0)")
TIED = Text("Part de lignes à égalité, départagées au hasard", "Share of tied rows, ordered at random")
CHANCE = Text("Classement au hasard", "Random ranking")

Search = Asked | Mapping[Any, Any] | Sequence[Any] | np.ndarray[Any, Any]


def measure(
    search: Search,
    *,
    rng: np.random.Generator,
    documents: Iterable[Any],
    queries: Mapping[Any, Any],
    qrels: Mapping[Any, Mapping[Any, int]],
    k: int = DEFAULT_K,
) -> tuple[Measurement, ...]:
    """nDCG@10, then recall at k and RR@10: means over all queries, with intervals over queries.

    Every query counts the same in an arithmetic mean of values from 0 to 1, so that one of n moves it by 1/n at most.

    Args:
        search: the student's function, asked for all queries in one round trip and in a random order; or its answers,
            as a dict by query (a missing query scores 0), or a list or array with a row for each query in their order.
            What an answer may be is said in `answers`.
        rng: secret; shuffles the queries, orders ties, draws the bootstrap.
        documents: ids of the collection; a dict gives its keys.
        queries: id -> argument of `search`, which is followed by k; a tuple is all the arguments.
        qrels: id of a query -> id of a document -> grade.
        k: rows a query at most, 10 or more; the depth of recall.

    Raises:
        Refused: an answer that is no ranking; see `refusals` for the reasons.
        ConfigurationError: what is asked makes no sense, or ir_measures is not installed.
    """
    asked = topics(documents, queries, qrels, k)
    secret = Secret.drawn(asked, rng)
    rankings = rank(search, asked, secret=secret, rng=rng)
    values, at_random, at_best = score(rankings, asked), chance(asked), best(asked)
    return tuple(
        _measurement(name, values[name], rng, at_best[name], (*_facts(rankings), Fact(CHANCE, at_random[name])))
        for name in names(k)
    )


def rank(search: Search, asked: Topics, *, secret: Secret, rng: np.random.Generator) -> list[Ranking]:
    """The rankings that `search` gives, one a query, re-ranked with `secret`; `rng` shuffles the questions.

    Raises:
        Refused: an answer that is no ranking.
    """
    answers = _answers(search, asked, rng)
    nothing = Rows(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    rows = [rows_of(answers[q], q, asked) if q in answers else nothing for q in range(len(asked.queries))]
    return [rerank(one, query, k=asked.k, secret=secret) for query, one in enumerate(rows)]


def _answers(search: Search, asked: Topics, rng: np.random.Generator) -> Mapping[int, Any]:
    """Place of a query -> what came back for it."""
    if isinstance(search, Mapping):
        return _by_query(search, asked)
    if isinstance(search, list | tuple) or as_array(search) is not None:
        return _in_order(search, asked)
    if not callable(search):
        raise refusals.not_a_run(type(search).__name__)
    order = rng.permutation(len(asked.queries)).tolist()
    return dict(zip(order, search.map([asked.arguments[query] for query in order]), strict=True))


def _by_query(run: Mapping[Any, Any], asked: Topics) -> dict[int, Any]:
    places: dict[Id, int] = {query: place for place, query in enumerate(asked.queries)}
    answers = {}
    for query, answer in run.items():
        one = identifier(query)
        if one is None or one not in places:
            raise refusals.unknown_query(query)
        answers[places[one]] = answer
    return answers


def _in_order(run: Any, asked: Topics) -> dict[int, Any]:
    table = as_array(run)
    if table is not None and table.ndim != 2:
        raise refusals.not_a_run(f"array {table.dtype} {table.shape}")
    rows = run if table is None else table
    if len(rows) != len(asked.queries):
        raise refusals.not_a_run(f"{type(run).__name__} ({len(rows)} ≠ {len(asked.queries)})")
    return dict(enumerate(rows))


def _facts(rankings: Sequence[Ranking]) -> tuple[Fact, ...]:
    n_rows = sum(len(ranking.documents) for ranking in rankings)
    n_tied = sum(ranking.n_tied for ranking in rankings)
    n_empty = sum(not len(ranking.documents) for ranking in rankings)
    return (
        Fact(QUERIES, len(rankings)),
        Fact(EMPTY, n_empty),
        Fact(TIED, n_tied / n_rows if n_rows else 0.0),
    )


def title(name: str) -> Text:
    """Of one of `names`, for people."""
    kind, _, depth = name.partition("@")
    words = {
        "ndcg": Text(f"nDCG@{DEPTH}", f"nDCG@{DEPTH}"),
        "recall": Text(f"Rappel@{depth}", f"Recall@{depth}"),
        "rr": Text(f"Rang réciproque (RR@{DEPTH})", f"Reciprocal rank (RR@{DEPTH})"),
    }
    return words[kind]


def _measurement(
    name: str,
    values: np.ndarray[Any, np.dtype[np.float64]],
    rng: np.random.Generator,
    most: float,
    facts: tuple[Fact, ...],
) -> Measurement:
    sure = interval(values, rng=rng)
    return Measurement(
        name=name,
        title=title(name),
        value=float(np.mean(values)),
        unit="",
        low=sure.low,
        high=sure.high,
        better=Better.HIGHER,
        oracle=most,
        facts=facts,
    )
