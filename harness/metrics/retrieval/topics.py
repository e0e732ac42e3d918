"""What an assignment asks: a collection, queries and relevance judgments, held to make sense before anyone is marked.

Not covered: what a student answers (`answers`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.retrieval.plain import Id, identifier

SHALLOWEST = 10  # rows a query: nDCG@10 and RR@10 look at ten
FEWEST_QUERIES = 2  # one query says nothing about others: there is no interval from it
HIGHEST_GRADE = 1000  # trec_eval keeps an array as long as the highest grade


@dataclass(frozen=True, slots=True)
class Topics:
    """Collection, queries and judgments; documents and queries are known by their places, from 0."""

    documents: tuple[Id, ...]
    places: Mapping[Id, int]  # id of a document -> its place
    queries: tuple[Id, ...]
    arguments: tuple[tuple[Any, ...], ...]  # of the student's function, one tuple a query
    grades: tuple[Mapping[int, int], ...]  # one mapping a query: place of a judged document -> grade
    k: int  # rows a query at most

    def relevant(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """How many documents are relevant (grade 1 or more), for each query."""
        return np.array([sum(grade >= 1 for grade in judged.values()) for judged in self.grades])


def topics(
    documents: Iterable[Any], queries: Mapping[Any, Any], qrels: Mapping[Any, Mapping[Any, int]], k: int
) -> Topics:
    """What `measure` and `compare` are given, held.

    Args:
        documents: ids, whole numbers or texts; a dict gives its keys.
        queries: id -> what the student's function is called with; a tuple is several arguments, and all there are;
            anything else is followed by `k`.
        qrels: id of a query -> id of a document -> grade, a whole number from 0 to 1,000; relevant from 1 on.
        k: rows a query, 10 or more.

    Raises:
        ConfigurationError: ids that are none, stand twice or are unknown, grades out of range, fewer than two queries,
        or a
            query without a relevant document.
    """
    if type(k) is not int or k < SHALLOWEST:
        raise _wrong(f"k is {k!r}", f"Give a whole number, {SHALLOWEST} or more: nDCG@10 looks at ten rows.")
    ids = _ids("documents", documents)
    places = {document: place for place, document in enumerate(ids)}
    asked = _ids("queries", queries)
    if len(asked) < FEWEST_QUERIES:
        raise _wrong(f"queries has {len(asked)}", "Give two or more, fifty for a useful interval.")
    judged = set(_ids("qrels", qrels))
    if judged - set(asked):
        raise _wrong(f"qrels judges {_first(judged - set(asked))!r}, which queries lacks", "Use the same ids in both.")
    by_id = {identifier(query): grades for query, grades in qrels.items()}
    return Topics(
        documents=ids,
        places=places,
        queries=asked,
        arguments=tuple(value if isinstance(value, tuple) else (value, k) for value in queries.values()),
        grades=tuple(_grades(query, by_id.get(query, {}), places) for query in asked),
        k=k,
    )


def _ids(name: str, values: Iterable[Any]) -> tuple[Id, ...]:
    ids: list[Id] = []
    for value in values:
        one = identifier(value)
        if one is None:
            raise _wrong(f"{name} has the id {value!r}", "Ids are whole numbers or texts.")
        ids.append(one)
    if not ids:
        raise _wrong(f"{name} is empty", "Give at least one.")
    if len(set(ids)) < len(ids):
        seen: set[Id] = set()
        twice = next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
        raise _wrong(f"{name} has {twice!r} twice", "Each id stands for one thing.")
    return tuple(ids)


def _grades(query: Id, judged: Mapping[Any, int], places: Mapping[Id, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for document, grade in judged.items():
        place = places.get(identifier(document))  # type: ignore[arg-type]  # None is no key: unknown
        if place is None:
            raise _wrong(f"qrels of {query!r} judges {document!r}, which documents lacks", "Use the same ids in both.")
        whole = identifier(grade)
        if not (isinstance(whole, int) and 0 <= whole <= HIGHEST_GRADE):
            raise _wrong(
                f"qrels of {query!r} gives {document!r} the grade {grade!r}",
                f"Grades are whole numbers from 0 (not relevant) to {HIGHEST_GRADE}.",
            )
        found[place] = whole
    if not any(found.values()):
        raise _wrong(
            f"query {query!r} has no relevant document", "Judge one, or leave it out: all would score 0 there."
        )
    return found


def _first(ids: set[Id]) -> Id:
    return min(ids, key=str)


def _wrong(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"retrieval cannot be measured: {what}", remedy=remedy)
