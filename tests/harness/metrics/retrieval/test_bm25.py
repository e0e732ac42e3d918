"""The formula in the statement is Lucene's: computed from the text itself, against bm25s and the reference."""

import math
from collections import Counter

import bm25s
import numpy as np
import pytest

from harness.metrics.retrieval import BM25
from harness.metrics.retrieval.bm25 import FORMULA
from reference.rag import bm25_scores


def from_the_text(text, query, documents, k1=1.2, b=0.75):
    """The line that is set apart in the statement, evaluated for each term."""
    (line,) = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    scores = []
    for document in documents:
        values = {"ln": math.log, "N": len(documents), "k1": k1, "b": b, "d": len(document)}
        values["L"] = sum(map(len, documents)) / len(documents)
        total = 0.0
        for term in query:
            containing = sum(term in other for other in documents)
            total += eval(line, {**values, "n": containing, "f": Counter(document)[term]}) if containing else 0.0
        scores.append(total)
    return scores


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_statement_s_formula_is_lucene_s(language):
    rng = np.random.default_rng(1)
    for _ in range(20):
        documents = [rng.integers(12, size=rng.integers(1, 15)).astype(str).tolist() for _ in range(15)]
        query = rng.integers(12, size=4).astype(str).tolist()
        index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        index.index(documents, show_progress=False)
        expected = sum(index.get_scores([term]) for term in query if any(term in other for other in documents))
        found = from_the_text(BM25.in_language(language), query, documents)
        assert found == pytest.approx(np.asarray(expected).tolist(), rel=1e-5)  # bm25s computes in float32
        assert found == pytest.approx(bm25_scores(query, documents), rel=1e-12)


def test_both_languages_say_the_same_formula():
    assert FORMULA in BM25.fr
    assert FORMULA in BM25.en
    for words in (BM25.fr, BM25.en):
        assert "k1 = 1.2" in words
        assert "b = 0.75" in words
        assert "Lucene" in words
