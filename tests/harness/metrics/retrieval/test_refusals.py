"""Liars, each by name: what no ranking is, is refused with a stable reason and a sentence in both languages."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.metrics.contract import Refused
from harness.metrics.retrieval import measure

K = 12
TASK = {
    "documents": [*range(20), "a", "7x", "21"],
    "queries": {"q": "", 2: ""},
    "qrels": {"q": {"a": 1}, 2: {3: 1}},
    "k": K,
}
GOOD = [(3, 1.0)]


def refusal(run):
    with pytest.raises(Refused) as caught:
        measure(run, rng=np.random.default_rng(1), **TASK)
    return caught.value


LIARS = {
    "unknown document": ([(3, 1.0), ("nowhere", 0.5)], "unknown_id"),
    "an id of the other kind": ([("3", 1.0)], "unknown_id"),
    "a text id as a number": ([(21, 1.0)], "unknown_id"),
    "True for 1": ([(True, 1.0)], "unknown_id"),
    "1.0 for 1": ([(1.0, 1.0)], "unknown_id"),
    "NumPy's 3.0": ([(np.float64(3.0), 1.0)], "unknown_id"),
    "NumPy's True": ([(np.True_, 1.0)], "unknown_id"),
    "a tensor of 3.0": ([(torch.tensor(3.0), 1.0)], "unknown_id"),
    "no id": ([(None, 1.0)], "unknown_id"),
    "a list as an id": ([([3], 1.0)], "unknown_id"),
    "an endless number as an id": ([(10**6000, 1.0)], "unknown_id"),
    "minus one": ([(-1, 1.0)], "unknown_id"),
    "ids as floats": ((np.array([3.0]), np.array([1.0])), "unknown_id"),
    "values and indices exchanged": ((torch.tensor([0.5]), torch.tensor([3])), "unknown_id"),
    "an id twice": ([(3, 1.0), (4, 0.5), (3, 0.25)], "duplicate_id"),
    "an id twice in two types": ([(3, 1.0), (np.int16(3), 0.5)], "duplicate_id"),
    "an id twice in columns": ((np.array([3, 3]), np.array([1.0, 0.5])), "duplicate_id"),
    "a dict with an id twice": ({3: 1.0, np.uint8(4): 1.0, "a": 1.0, torch.tensor(3): 2.0}, "duplicate_id"),
    "NaN": ([(3, math.nan)], "not_finite"),
    "infinity": ([(3, math.inf)], "not_finite"),
    "minus infinity": ([(3, -math.inf)], "not_finite"),
    "beyond float32": ([(3, 1e39)], "not_finite"),
    "beyond float64": ([(3, 10**400)], "not_finite"),
    "far below": ([(3, -(10**400))], "not_finite"),
    "NaN in a tensor": ([(3, torch.tensor(math.nan))], "not_finite"),
    "NaN in an array": (np.array([math.nan] + [0.0] * 22), "not_finite"),
    "too many": ([(i, 1.0) for i in range(K + 1)], "too_many"),
    "too many, and unknown": ([(f"x{i}", math.nan) for i in range(10_000)], "too_many"),
    "too many in columns": ((np.arange(K + 1), np.ones(K + 1)), "too_many"),
    "too many in a dict": (dict.fromkeys(range(K + 1), 1.0), "too_many"),
    "nothing": (None, "not_a_ranking"),
    "a text": ("3", "not_a_ranking"),
    "a number": (3, "not_a_ranking"),
    "bytes": (b"ab", "not_a_ranking"),
    "ids alone": ([3, 4], "not_a_ranking"),
    "texts of two letters": (["ab", "cd"], "not_a_ranking"),
    "triples": ([(3, 1.0, "text")], "not_a_ranking"),
    "scores as text": ([(3, "1.0")], "not_a_ranking"),
    "scores as booleans": ([(3, True)], "not_a_ranking"),
    "complex scores": ([(3, 1j)], "not_a_ranking"),
    "a complex tensor": ([(3, torch.tensor(1j))], "not_a_ranking"),
    "a vector as a score": ([(3, np.ones(1))], "not_a_ranking"),
    "pairs as an array": (np.array([[3.0, 1.0]]), "not_a_ranking"),
    "one score too few": (np.ones(22), "not_a_ranking"),
    "one score too many": (torch.ones(24), "not_a_ranking"),
    "a sparse tensor": (torch.zeros(23).to_sparse(), "not_a_ranking"),
    "a dtype": (torch.float32, "not_a_ranking"),
    "a mask": (np.ones(23, dtype=bool), "not_a_ranking"),
    "a scalar array": (np.array(1.0), "not_a_ranking"),
    "columns of different lengths": ((np.array([3, 4]), np.array([1.0])), "not_a_ranking"),
    "columns of two dimensions": ((np.array([[3]]), np.array([[1.0]])), "not_a_ranking"),
}


@pytest.mark.parametrize("name", LIARS)
def test_liars_are_caught_by_name(name):
    answer, reason = LIARS[name]
    found = refusal({2: answer, "q": []})
    assert found.reason == reason
    for sentence in (found.text.fr, found.text.en):
        assert len(sentence) < 700
        assert sentence.isprintable()
        assert "2" in sentence
    assert found.text.fr != found.text.en


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ({"nobody asked": GOOD}, "unknown_query"),
        ({"2": GOOD}, "unknown_query"),
        ({None: GOOD}, "unknown_query"),
        ({2.0: GOOD}, "unknown_query"),
        ([GOOD], "not_a_run"),
        ([GOOD] * 3, "not_a_run"),
        (np.ones(23), "not_a_run"),
        (np.ones((3, 23)), "not_a_run"),
        (np.ones((2, 23, 1)), "not_a_run"),
        (np.array(1.0), "not_a_run"),
        (np.ones((2, 22)), "not_a_ranking"),
        ("qrels", "not_a_run"),
        (None, "not_a_run"),
        (SimpleNamespace(), "not_a_run"),
    ],
)
def test_runs_that_are_none(run, reason):
    assert refusal(run).reason == reason


def test_the_sentence_says_which_kind_the_collection_has():
    assert "has 3: the type matters" in refusal({2: [("3", 1.0)]}).text.en
    assert "has '21': the type matters" in refusal({2: [(21, 1.0)]}).text.en
    assert "contient '21' : le type compte" in refusal({2: [(21, 1.0)]}).text.fr
    assert "a whole number or a text" in refusal({2: [(1.0, 1.0)]}).text.en


def test_what_a_notebook_wrote_is_short_and_harmless_in_a_sentence():
    found = refusal({2: [("\x1b[31m\u202e\n" + "x" * 10_000, 1.0)]})
    assert "\\x1b[31m\\u202e\\n" in found.text.en
    assert "<int, 19932 bits>" in refusal({2: [(10**6000, 1.0)]}).text.en


def test_all_answers_are_held_not_only_the_first_rows():
    """A lie in the last row of the last query is found."""
    assert refusal({"q": GOOD, 2: [*((i, 20.0 - i) for i in range(K - 1)), ("a", math.nan)]}).reason == "not_finite"


def test_exceptions_of_the_call_pass_through(student):
    def search(query, k):
        raise LookupError("no answer")

    with pytest.raises(LookupError, match="no answer"):
        measure(student(search), rng=np.random.default_rng(1), **TASK)
