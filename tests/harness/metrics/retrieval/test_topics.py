"""What an instructor can get wrong is said before a student is marked."""

import numpy as np
import pytest

from harness.errors import ConfigurationError
from harness.metrics.retrieval import measure

TASK = {"documents": ["a", 1], "queries": {"q": "", "r": ""}, "qrels": {"q": {"a": 1}, "r": {1: 2, "a": 0}}}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 9}, "k is 9"),
        ({"k": True}, "k is True"),
        ({"k": 10.0}, "k is 10.0"),
        ({"documents": []}, "documents is empty"),
        ({"documents": ["a", 1, "a"]}, "documents has 'a' twice"),
        ({"documents": ["a", 1, np.int64(1)]}, "documents has 1 twice"),
        ({"documents": ["a", 1, 2.0]}, "documents has the id 2.0"),
        ({"documents": ["a", 1, None]}, "documents has the id None"),
        ({"documents": ["a", "1"]}, "judges 1, which documents lacks"),
        ({"queries": {}}, "queries is empty"),
        ({"queries": {"q": ""}, "qrels": {"q": {"a": 1}}}, "queries has 1. Give two or more"),
        ({"queries": {"q": "", "r": "", True: ""}}, "queries has the id True"),
        ({"queries": {"q": "", "r": "", "s": ""}}, "query 's' has no relevant document"),
        ({"qrels": {"q": {"a": 1}}}, "query 'r' has no relevant document"),
        ({"qrels": {"q": {"a": 1}, "r": {}}}, "query 'r' has no relevant document"),
        ({"qrels": {"q": {"a": 1}, "r": {1: 0}}}, "query 'r' has no relevant document"),
        ({"qrels": {"q": {"a": 1}, "r": {1: 1}, "s": {1: 1}}}, "qrels judges 's', which queries lacks"),
        ({"qrels": {"q": {"a": 1}, "r": {"b": 1}}}, "qrels of 'r' judges 'b', which documents lacks"),
        ({"qrels": {"q": {"a": 1}, "r": {True: 1}}}, "qrels of 'r' judges True"),
        ({"qrels": {"q": {"a": 1}, "r": {1: -1}}}, "the grade -1"),
        ({"qrels": {"q": {"a": 1}, "r": {1: 1.5}}}, "the grade 1.5"),
        ({"qrels": {"q": {"a": 1}, "r": {1: True}}}, "the grade True"),
        ({"qrels": {"q": {"a": 1}, "r": {1: "1"}}}, "the grade '1'"),
        ({"qrels": {"q": {"a": 1}, "r": {1: 1001}}}, "the grade 1001"),
    ],
)
def test_what_makes_no_sense_is_a_configuration_error(wrong, message):
    with pytest.raises(ConfigurationError) as caught:
        measure({}, rng=np.random.default_rng(1), **{**TASK, **wrong})
    assert message in str(caught.value)
    assert caught.value.remedy


def test_the_highest_grade_counts_linearly():
    task = {**TASK, "qrels": {"q": {"a": 1000, 1: 1}, "r": {1: 1}}}
    found = measure({"q": {1: 2, "a": 1}, "r": {1: 1}}, rng=np.random.default_rng(1), **task)
    discount = 1 / np.log2(3)
    assert found[0].value == pytest.approx(((1 + 1000 * discount) / (1000 + discount) + 1) / 2, abs=1e-12)
