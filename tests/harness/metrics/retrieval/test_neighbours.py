"""Recall of nearest neighbours: the grader's own distances, ties within a thousandth, liars refused."""

import math

import numpy as np
import pytest
import torch

from harness.errors import ConfigurationError
from harness.metrics.contract import Refused
from harness.metrics.retrieval import Neighbours
from harness.metrics.retrieval.neighbours import CHUNK_ENTRIES, found_by, recall

LINE = Neighbours(vectors=np.array([[0.0], [1.0], [2.0], [2.0015], [2.5], [9.0]]), queries=np.zeros((1, 1)), k=3)


@pytest.mark.parametrize(
    ("found", "share"),
    [
        ([0, 1, 2], 1.0),
        ([2, 1, 0], 1.0),
        ([0, 1, 3], 1.0),  # 2.0015 is within 1e-3 of 2, the third distance
        ([0, 1, 4], 2 / 3),
        ([0, -1, -1], 1 / 3),
        ([-1, -1, -1], 0.0),
        ([4, 5, -1], 0.0),
    ],
)
def test_hits_are_counted_by_distance(found, share):
    assert recall(LINE.queries, np.array([found]), LINE)[0] == share


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_ties_do_not_depend_on_the_unit(scale):
    """An absolute thousandth would make every vector a neighbour where distances are small."""
    task = Neighbours(vectors=LINE.vectors * scale, queries=LINE.queries, k=3)
    assert recall(task.queries, np.array([[0, 1, 4]]), task)[0] == 2 / 3
    assert recall(task.queries, np.array([[0, 1, 3]]), task)[0] == 1.0


def test_copies_of_a_vector_are_as_good_as_the_first():
    """At distance 0 nothing but distance 0 is a tie, far from the origin too."""
    vectors = np.array([[1e8, 1.0]] * 4 + [[1e8 + 1, 1.0]])  # float32 would not tell them apart
    task = Neighbours(vectors=vectors, queries=vectors[:1], k=2)
    assert recall(task.queries, np.array([[3, 2]]), task)[0] == 1.0
    assert recall(task.queries, np.array([[0, 4]]), task)[0] == 0.5


def test_many_queries_equal_a_loop_over_all():
    rng = np.random.default_rng(1)
    task = Neighbours(vectors=rng.normal(size=(200, 5)).astype(np.float32), queries=rng.normal(size=(30, 5)), k=7)
    found = np.stack([rng.permutation(200)[:7] for _ in range(30)])
    expected = []
    for query, row in zip(task.queries, found, strict=True):
        distances = [math.dist(query, vector) for vector in task.vectors.astype(np.float64)]
        limit = sorted(distances)[6] * 1.001
        expected.append(sum(distances[place] <= limit for place in row) / 7)
    assert recall(task.queries, found, task).tolist() == expected


def test_work_is_done_in_pieces_that_fit(monkeypatch):
    rng = np.random.default_rng(2)
    task = Neighbours(vectors=rng.normal(size=(50, 3)), queries=rng.normal(size=(20, 3)), k=5)
    found = np.stack([rng.permutation(50)[:5] for _ in range(20)])
    whole = recall(task.queries, found, task).tolist()
    for entries in (1, 150, CHUNK_ENTRIES):
        monkeypatch.setattr("harness.metrics.retrieval.neighbours.CHUNK_ENTRIES", entries)
        assert recall(task.queries, found, task).tolist() == whole


ROWS = [[0, 1, 2], [3, 4, -1]]


@pytest.mark.parametrize(
    "answer",
    [
        ROWS,
        ([0, 1, 2], (3, 4)),
        np.array(ROWS),
        np.array(ROWS, dtype=np.int16),
        np.array(ROWS, dtype=">i4"),
        torch.tensor(ROWS),
        [np.array([0, 1, 2]), torch.tensor([3, 4])],
        [[np.int64(0), torch.tensor(1), 2], [3, np.uint8(4)]],
    ],
)
def test_forms_of_an_answer(answer):
    assert found_by(answer, 2, LINE).tolist() == ROWS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "not_neighbours"),
        ("ab", "not_neighbours"),
        ({0: [1]}, "not_neighbours"),
        ([[0, 1, 2]], "not_neighbours"),
        ([[0, 1, 2]] * 3, "not_neighbours"),
        ([[0, 1, 2], 3], "not_neighbours"),
        ([[0, 1, 2], "345"], "not_neighbours"),
        ([[0, 1, 2], [0, 1, 2, 3]], "not_neighbours"),
        ([[0, 1, 2], [0, 1, 2.0]], "not_neighbours"),
        ([[0, 1, 2], [0, 1, True]], "not_neighbours"),
        ([[0, 1, 2], [0, 1, "2"]], "not_neighbours"),
        ([[0, 1, 2], [0, 1, 10**30]], "not_neighbours"),
        (np.zeros((2, 3)), "not_neighbours"),
        (np.zeros((2, 3), dtype=bool), "not_neighbours"),
        (np.zeros((2, 4), dtype=int), "not_neighbours"),
        (np.zeros((3, 2), dtype=int), "not_neighbours"),
        (np.zeros(6, dtype=int), "not_neighbours"),
        ((np.zeros((2, 3)), np.array(ROWS)), "not_neighbours"),
        ([[0, 1, 2], [0, 1, 6]], "unknown_id"),
        ([[0, 1, 2], [0, 1, -2]], "unknown_id"),
        (np.array([[0, 1, 2], [0, 1, 2**64 - 1]], dtype=np.uint64), "unknown_id"),
        ([[0, 1, 2], [0, 1, 0]], "duplicate_id"),
        (np.zeros((2, 3), dtype=int), "duplicate_id"),
    ],
)
def test_liars_are_caught_by_name(answer, reason):
    with pytest.raises(Refused) as caught:
        found_by(answer, 2, LINE)
    assert caught.value.reason == reason
    assert caught.value.text.fr.isprintable()
    assert caught.value.text.en.isprintable()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"vectors": np.zeros(3)}, "shapes"),
        ({"vectors": np.zeros((0, 1))}, "shapes"),
        ({"queries": np.zeros((1, 2))}, "shapes"),
        ({"vectors": np.array([[np.nan]] * 5)}, "not finite"),
        ({"queries": np.array([[np.inf]])}, "not finite"),
        ({"k": 0}, "k is 0"),
        ({"k": 7}, "k is 7 for 6 vectors"),
        ({"k": 2.0}, "k is 2.0"),
        ({"recall": 0}, "recall is 0"),
        ({"recall": 1.1}, "recall is 1.1"),
    ],
)
def test_what_makes_no_sense_is_a_configuration_error(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        Neighbours(**{"vectors": LINE.vectors, "queries": LINE.queries, "k": 3, **wrong})
