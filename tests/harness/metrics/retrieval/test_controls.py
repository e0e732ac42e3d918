"""The controls pass here, and each way in which a grader could be broken stops the run."""

import sys

import ir_measures
import numpy as np
import pytest

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.retrieval import answers, check, controls, ranking


def test_the_controls_come_out():
    check()


def test_a_missing_library_names_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bareme\[metrics\]'"):
        check()


def test_another_gain_is_noticed(monkeypatch):
    """Exponential gain, as many write nDCG: perfect and empty runs do not show it, the one by hand does."""
    exponential = ir_measures.nDCG(gains={grade: 2**grade - 1 for grade in range(4)})
    monkeypatch.setattr(ir_measures, "nDCG", exponential)
    with pytest.raises(InfrastructureError, match="computed by hand"):
        check()


def test_ties_by_id_are_noticed(monkeypatch):
    monkeypatch.setattr(ranking.Secret, "of", lambda self, query, documents: documents)
    with pytest.raises(InfrastructureError, match="constant scores"):
        check()


def test_a_library_that_gives_nan_is_noticed(monkeypatch):
    class Broken:
        def iter_calc(self, run):
            return iter([ir_measures.Metric("0", ir_measures.nDCG @ 10, float("nan"))])

    monkeypatch.setattr(ir_measures, "evaluator", lambda measures, qrels: Broken())
    with pytest.raises(InfrastructureError, match=r"should be 1\.0, and is"):
        check()


def test_nan_let_through_is_noticed(monkeypatch):
    monkeypatch.setattr(answers, "_rounded", lambda scores, ids, query: scores.astype(np.float32))
    with pytest.raises(InfrastructureError, match="NaN should be a refusal"):
        check()


def test_a_wrong_order_is_noticed(monkeypatch):
    right = controls.rank

    def worst_first(*args, **kwargs):
        return [ranking.Ranking(one.documents[::-1], one.n_tied) for one in right(*args, **kwargs)]

    monkeypatch.setattr(controls, "rank", worst_first)
    with pytest.raises(InfrastructureError, match=r"ndcg@10 of a perfect run should be 1\.0"):
        check()
