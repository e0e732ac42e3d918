"""A student's answer to one query as rows, or the reason why it is no ranking.

Accepted, told apart by type alone: a list or tuple of (id, score) pairs; a dict id -> score; a list or tuple of two
arrays or tensors of one dimension (ids, scores); one array or tensor of one dimension with a score for every document,
in the order of the collection. Not covered: the order of the rows, which counts for nothing (`ranking`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.metrics.retrieval import refusals
from harness.metrics.retrieval.plain import Floats, Id, as_array, identifier, number, reals
from harness.metrics.retrieval.topics import Topics

Places = np.ndarray[Any, np.dtype[np.int64]]
Scores = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents with their scores, in no order."""

    documents: Places  # in the collection, each once
    scores: Scores  # finite


def rows_of(answer: Any, place: int, topics: Topics) -> Rows:
    """The rows of `answer` to the query at `place`; at most k, or all documents where there is a score for each.

    Scores are rounded to float64, then to float32: what rounds to infinity is not finite, and what becomes equal is
    tied.

    Raises:
        Refused: not_a_ranking, too_many, unknown_id, duplicate_id or not_finite, the first that is seen in this order
            for the whole answer, then row by row.
    """
    query = topics.queries[place]
    column = as_array(answer)
    if column is not None:
        return _every_document(column, query, topics)
    ids, scores = _pairs(answer, query, topics.k)
    documents = _places(ids, query, topics)
    return Rows(documents, _rounded(scores, ids, query))


def _every_document(column: np.ndarray[Any, Any], query: Id, topics: Topics) -> Rows:
    scores = reals(column)
    if scores is None or scores.shape != (len(topics.documents),):
        raise refusals.not_a_ranking(query, f"array {column.dtype} {column.shape}")
    return Rows(np.arange(len(scores)), _rounded(scores, topics.documents, query))


def _pairs(answer: Any, query: Id, k: int) -> tuple[Sequence[Any], Floats]:
    """Ids, still to be looked up, and scores; an answer that is too long is not read."""
    if isinstance(answer, Mapping):
        answer = list(answer.items())
    if not isinstance(answer, list | tuple):
        raise refusals.not_a_ranking(query, type(answer).__name__)
    columns = _columns(answer)
    n_rows = len(answer) if columns is None else len(columns[0])
    if n_rows > k:
        raise refusals.too_many(query, n_rows, k)
    if columns is not None:
        return columns[0].tolist(), columns[1]
    scores = np.empty(len(answer))
    for row, pair in enumerate(answer):
        if not (isinstance(pair, list | tuple) and len(pair) == 2):
            length = f" ({len(pair)})" if isinstance(pair, list | tuple) else ""
            raise refusals.not_a_ranking(query, f"[{row}] → {type(pair).__name__}{length}")
        score = number(pair[1])
        if score is None:
            raise refusals.not_a_ranking(query, f"[{row}][1] → {type(pair[1]).__name__}")
        scores[row] = score
    return [document for document, _ in answer], scores


def _columns(answer: Sequence[Any]) -> tuple[np.ndarray[Any, Any], Floats] | None:
    """Two arrays of one dimension and one length, None where `answer` is something else."""
    if len(answer) != 2:
        return None
    ids, scores = as_array(answer[0]), reals(answer[1])
    if ids is None or scores is None or ids.ndim != 1 or scores.shape != ids.shape:
        return None
    return ids, scores


def _places(ids: Sequence[Any], query: Id, topics: Topics) -> Places:
    places = np.empty(len(ids), dtype=np.int64)
    seen: set[int] = set()
    for row, document in enumerate(ids):
        one = identifier(document)
        place = None if one is None else topics.places.get(one)
        if place is None:
            raise refusals.unknown_id(query, document, known_as=_otherwise(one, topics))
        if place in seen:
            raise refusals.duplicate_id(query, document)
        seen.add(place)
        places[row] = place
    return places


def _otherwise(document: Id | None, topics: Topics) -> Id | None:
    """The same id as the other kind, if the collection has it: 3 for "3", "3" for 3."""
    if isinstance(document, str):
        return next((known for known in topics.places if type(known) is int and str(known) == document), None)
    if document is None or document.bit_length() > 64:  # an id as text; Python refuses to write endless numbers
        return None
    return str(document) if str(document) in topics.places else None


def _rounded(scores: Floats, ids: Sequence[Any], query: Id) -> Scores:
    with np.errstate(over="ignore"):  # becomes infinite, which is refused in the next line
        rounded = scores.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(rounded))
    if len(wrong):
        raise refusals.not_finite(query, ids[wrong[0]], float(scores[wrong[0]]))
    return rounded
