"""Notebooks in real kernels: the whole way from a student's function to a figure."""

import numpy as np
import pytest

from harness.metrics.contract import Refused
from harness.metrics.retrieval import Neighbours, ann, compare, measure

SEARCH = """
TEXTS = {"d%d" % i: "common word%d word%d" % (i, i % 7) for i in range(60)}

def search(question, k):
    words = set(question.split())
    scores = {name: len(words & set(text.split())) for name, text in TEXTS.items()}
    best = sorted(scores, key=scores.get, reverse=True)[:k]
    return [(name, scores[name]) for name in best]

def nothing(question, k):
    return []

def twice(question, k):
    return search(question, k - 1) + [("d0", 1.0)]
"""
TASK = {
    "documents": [f"d{i}" for i in range(60)],
    "queries": {i: f"common word{i}" for i in range(10, 50)},
    "qrels": {i: {f"d{i}": 1} for i in range(10, 50)},
}

INDEX = """
import numpy as np

class Cells:
    \"\"\"Vectors by the nearest of some of them; a search looks into the `n` nearest cells.\"\"\"

    def __init__(self, vectors):
        self.vectors = vectors
        self.centres = vectors[::25]
        self.cell = self.distances(vectors, self.centres).argmin(axis=1)

    @staticmethod
    def distances(left, right):
        return ((left[:, None] - right[None]) ** 2).sum(axis=-1)

def build(vectors):
    return Cells(vectors)

def search(index, queries, k, n):
    found = []
    for query in queries:
        nearest = index.distances(query[None], index.centres)[0].argsort()[:n]
        members = np.flatnonzero(np.isin(index.cell, nearest))
        distances = index.distances(query[None], index.vectors[members])[0]
        found.append(members[distances.argsort()[:k]])
    return found
"""


@pytest.mark.slow
def test_a_search_is_measured_and_compared(live):
    notebook = live(SEARCH)
    found = measure(notebook.search, rng=np.random.default_rng(1), **TASK)
    assert [one.value for one in found] == [1.0, 1.0, 1.0]
    assert found[0].facts[2].value > 0.9  # all but the best have the one common word, and tie
    systems = {"nothing": notebook.nothing, "search": notebook.search}
    (difference,) = compare(systems, rng=np.random.default_rng(1), **TASK)
    assert difference.value == 1.0
    with pytest.raises(Refused, match="duplicate_id"):
        measure(notebook.twice, rng=np.random.default_rng(1), **TASK)


@pytest.mark.slow
def test_an_index_stays_in_its_kernel_and_has_a_curve(live):
    rng = np.random.default_rng(1)
    task = Neighbours(rng.normal(size=(2000, 8)), rng.normal(size=(200, 8)), recall=0.5)
    notebook = live(INDEX)
    settings = [1, 80]
    headline, one_cell, all_cells = ann(
        notebook.build, notebook.search, rng=np.random.default_rng(2), task=task, settings=settings
    )
    assert all_cells.value == 1.0
    assert 0.05 < one_cell.value < 0.5
    assert 0 < headline.low <= headline.value <= headline.high
    facts = {fact.name.en: fact.value for fact in headline.facts}
    assert facts["Build, processor time"] > 0
    assert facts["Peak memory of the kernel"] > 2000 * 8 * 8
