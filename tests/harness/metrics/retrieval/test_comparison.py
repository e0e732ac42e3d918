"""Differences between systems: paired, corrected, and equal systems never differ."""

import numpy as np
import pytest

from harness.errors import ConfigurationError
from harness.metrics.contract import Refused
from harness.metrics.retrieval import compare
from harness.statistics import holm

N = 40
TASK = {
    "documents": range(100),
    "queries": {q: f"question {q}" for q in range(N)},
    "qrels": {q: {q: 2, q + 1: 1} for q in range(N)},
}


def noisy(strength, seed):
    """Finds the relevant documents the better, the greater `strength` is."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(N, 100))
    for q in range(N):
        scores[q, q] += strength
    return scores


def p_values(found):
    return [[fact.value for fact in one.facts if "p-value" in fact.name.en] for one in found]


def test_three_systems_are_compared_pair_by_pair():
    systems = {"random": noisy(0, 1), "good": noisy(4, 2), "better": noisy(8, 3)}
    found = compare(systems, rng=np.random.default_rng(1), **TASK)
    assert [one.name for one in found] == ["ndcg@10.good-random", "ndcg@10.better-random", "ndcg@10.better-good"]
    raw, adjusted = zip(*p_values(found), strict=True)
    assert list(adjusted) == holm(np.array(raw)).tolist()
    assert adjusted[0] < 0.01
    for one in found:
        means = [fact.value for fact in one.facts if fact.name.en.startswith("nDCG@10, ")]
        assert one.value == pytest.approx(means[1] - means[0], abs=1e-12)
        assert one.low < one.value < one.high


def test_equal_systems_differ_by_nothing_even_where_all_scores_tie():
    """Ties are ordered alike for all systems; otherwise luck would tell equal ones apart."""
    (found,) = compare({"a": np.zeros((N, 100)), "b": np.ones((N, 100))}, rng=np.random.default_rng(1), **TASK)
    assert found.value == 0.0
    assert p_values([found]) == [[1.0, 1.0]]
    assert found.low < 0 < found.high


def test_functions_are_asked(student):
    first, second = student(lambda question, k: []), student(lambda question, k: [(int(question.split()[1]), 1.0)])
    (found,) = compare({"nothing": first, "right": second}, rng=np.random.default_rng(1), **TASK)
    assert found.value == pytest.approx(2 / (2 + 1 / np.log2(3)))
    assert [question for question, _ in first.asked] != [question for question, _ in second.asked]


@pytest.mark.parametrize("systems", [{}, {"a": {}}, {"a": {}, "": {}}, {"a": {}, "b c": {}}])
def test_what_cannot_be_compared(systems):
    with pytest.raises(ConfigurationError, match="systems cannot be compared"):
        compare(systems, rng=np.random.default_rng(1), **TASK)


def test_liars_are_refused_here_too():
    with pytest.raises(Refused, match="not_finite"):
        compare({"a": {}, "b": {0: [(0, np.nan)]}}, rng=np.random.default_rng(1), **TASK)
