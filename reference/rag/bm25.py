"""BM25 as Lucene scores it: term by term from the formula, and a twin with an inverted index.

Not covered: tokenisation, stop words, stemming, fields, updates.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.rag.ranking import top_k

Terms = Sequence[Hashable]  # words or token ids, in order


@checked
def bm25_scores(
    query: Terms, documents: Sequence[Terms], *, k1: float | int = 1.2, b: float | int = 0.75
) -> list[float]:
    """Score every document for `query`.

    score(D) = sum over q in query of idf(q) · f(q, D) / (f(q, D) + k1·(1 - b + b·|D| / L)), where f counts q in D, L is
    the mean length of all documents and idf(q) = ln(1 + (N - n + 0.5) / (n + 0.5)) for N documents, n of which
    contain q. A term that stands twice in the query counts twice; one that no document contains adds 0. An empty
    document, or query, scores 0. Sums run in the order of the query.

    Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework: BM25 and Beyond, section 3.4;
    Lucene's variant as in Kamphuis et al. 2020, ECIR (Which BM25 do you mean?).
    Departs from it: exact lengths, where Lucene keeps them in one byte; empty documents count in N and L.

    Args:
        query: terms to look for.
        documents: terms of each document; may be empty, as may each.
        k1: how slowly repetition saturates, finite, 0 or more; 0: a term is there or it is not.
        b: how far length counts, from 0 to 1.
    Returns:
        One score a document, 0 or more.
    Raises:
        ValueError: `k1` or `b` is out of range.

    Cost: O(Q·T) for Q query terms and T terms in all documents.

    >>> documents = [["le", "chat"], ["le", "chien", "dort"], []]
    >>> [round(score, 3) for score in bm25_scores(["chat", "loup"], documents)]
    [0.412, 0.0, 0.0]
    """
    _require_parameters(k1, b)
    mean_length = sum(map(len, documents)) / max(len(documents), 1)
    scores = [0.0] * len(documents)
    for term in query:
        n_containing = sum(term in document for document in documents)
        for index, document in enumerate(documents):
            frequency = sum(other == term for other in document)
            if frequency:
                saturation = frequency + k1 * (1 - b + b * len(document) / mean_length)
                scores[index] += _idf(len(documents), n_containing) * frequency / saturation
    return scores


class BM25:
    """An index of documents by their terms: `bm25_scores` at the cost of the query's terms only.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 6.3.3 (term at a time);
    formula and departures of `bm25_scores`.

    >>> index = BM25([["le", "chat"], ["le", "chien", "dort"], []])
    >>> index.search(["chien", "chat"], k=2)[0].tolist()
    [0, 1]
    """

    @checked
    def __init__(self, documents: Sequence[Terms], *, k1: float | int = 1.2, b: float | int = 0.75) -> None:
        _require_parameters(k1, b)
        self._n_documents = len(documents)
        mean_length = sum(map(len, documents)) / max(len(documents), 1)
        postings: dict[Hashable, list[tuple[int, float]]] = {}  # term: documents and what it adds there, but for idf
        for index, document in enumerate(documents):
            for term, frequency in Counter(document).items():
                saturation = frequency + k1 * (1 - b + b * len(document) / mean_length)
                postings.setdefault(term, []).append((index, frequency / saturation))
        self._postings = {term: self._weighted(entries) for term, entries in postings.items()}

    def _weighted(self, entries: list[tuple[int, float]]) -> tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        indices, parts = zip(*entries, strict=True)
        idf = _idf(self._n_documents, len(entries))
        return np.array(indices, dtype=np.int64), idf * np.array(parts, dtype=np.float64)

    @checked
    def scores(self, query: Terms) -> Float64[np.ndarray, " N"]:
        """Score every document, see `bm25_scores`.

        Args:
            query: terms to look for; unknown ones add 0.
        Raises:
            TypeError: a wrong type.

        Cost: O(N + P) for N documents and P postings of the query's terms.

        >>> BM25([["a"], ["b"]]).scores(["b", "c"]).round(3).tolist()
        [0.0, 0.315]
        """
        scores = np.zeros(self._n_documents)
        for term in query:
            if term in self._postings:
                indices, parts = self._postings[term]
                scores[indices] += parts
        return scores

    @checked
    def search(self, query: Terms, k: int) -> tuple[Int64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
        """Find the `k` best documents, the best first; ties: the lowest index. Scores of 0 are returned, too.

        Args:
            query: terms to look for.
            k: from 0 to the number of documents.
        Returns:
            Indices and scores.
        Raises:
            ValueError: `k` is negative or larger than the corpus.

        Cost: O(N·log N + P).

        >>> BM25([["a"], ["b"], ["a"]]).search(["a"], k=3)[0].tolist()
        [0, 2, 1]
        """
        scores = self.scores(query)
        best = top_k(scores, k)
        return best, scores[best]


def _idf(n_documents: int, n_containing: int) -> float:
    return math.log(1 + (n_documents - n_containing + 0.5) / (n_containing + 0.5))


def _require_parameters(k1: float, b: float) -> None:
    if not (math.isfinite(k1) and k1 >= 0):
        raise ValueError(f"k1: expected a finite number, 0 or more, got {k1}")
    if not 0 <= b <= 1:
        raise ValueError(f"b: expected a number from 0 to 1, got {b}")
