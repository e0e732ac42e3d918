"""From rows to rankings: by score, and where scores tie by a secret that nobody could know when answering.

Not covered: what the rankings are worth (`scoring`).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from harness.metrics.retrieval.answers import Places, Rows
from harness.metrics.retrieval.topics import Topics

Codes = np.ndarray[Any, np.dtype[np.uint64]]

# The mixing steps of SplitMix64: every bit of the sum of two codes moves every bit of the outcome.
MIX = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
LAST_SHIFT = np.uint64(31)


@dataclass(frozen=True, slots=True)
class Secret:
    """A hash of (query, document) that is drawn anew for each run: 64 secret bits each, mixed.

    Each query orders its ties in another way, so that luck evens out over queries. Where a row stood in an answer and
    what its document is called move nothing.

    Source: Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number Generators, OOPSLA (the finaliser).
    """

    queries: Codes
    documents: Codes

    @classmethod
    def drawn(cls, topics: Topics, rng: np.random.Generator) -> Self:
        """For this collection and these queries, from a generator that only the grader has."""
        queries, documents = (
            rng.integers(2**64, size=len(ids), dtype=np.uint64) for ids in (topics.queries, topics.documents)
        )
        return cls(queries, documents)

    def of(self, query: int, documents: Places) -> Codes:
        """The hash of each of `documents` for `query`, both given by their places."""
        mixed = self.documents[documents] + self.queries[[query]]
        for shift, factor in MIX:
            mixed = (mixed ^ (mixed >> shift)) * factor
        return mixed ^ (mixed >> LAST_SHIFT)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The documents for one query, the best first."""

    documents: Places  # k at most
    n_tied: int  # of them, whose score another row of the answer has too


def rerank(rows: Rows, query: int, *, k: int, secret: Secret) -> Ranking:
    """The k best rows by (score, secret hash); 0.0 and -0.0 are the same score.

    Cost: O(n log n) for the n rows that can still be among the first k.
    """
    documents, scores = rows.documents, rows.scores
    if len(scores) > k:
        possible = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        documents, scores = documents[possible], scores[possible]
    order = np.lexsort((secret.of(query, documents), -scores))
    falling = scores[order]
    same = falling[1:] == falling[:-1]
    tied = np.append(same, False) | np.insert(same, 0, False) if len(order) else same
    return Ranking(documents[order][:k], int(tied[:k].sum()))
