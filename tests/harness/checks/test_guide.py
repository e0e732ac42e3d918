"""The guide for instructors: its examples are one checks.py, and what it says about them is so."""

import re
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness import checks
from harness.records import Outcome

GUIDE = Path(__file__).parents[3] / "docs" / "writing-checks.md"


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int) -> None:
        self.count += number

    def value(self) -> int:
        return self.count


def normalize(values: list[float]) -> None:
    total = sum(values)
    values[:] = [value / total for value in values]


def mean(values: list[float]) -> float:
    if not values:
        raise ValueError("nothing to average")
    return sum(values) / len(values)


def transitions(text: str) -> np.ndarray[Any, Any]:
    counts = np.full((4, 4), 0.1)
    for pair in pairwise(text):
        counts["abcd".index(pair[0]), "abcd".index(pair[1])] += 1
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


RIGHT = {
    "double": lambda x: 2 * x,
    "total": sum,
    "shuffle": lambda values, seed: np.random.default_rng(seed).permutation(values).tolist(),
    "Counter": Counter,
    "normalize": normalize,
    "mean": mean,
    "transitions": transitions,
}


@pytest.fixture
def marked(tmp_path: Path, notebook: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the guide's checks against functions, by id."""
    path = tmp_path / "checks.py"
    path.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)), "utf-8")
    oracle = ModuleType("checks_test_guide_oracle")
    vars(oracle).update({name: RIGHT[name] for name in ("double", "total", "shuffle", "normalize")})
    monkeypatch.setitem(sys.modules, oracle.__name__, oracle)

    def marked(**names: Any) -> dict[str, Any]:
        select = [spec.id for spec in checks.collect(path)]
        bench = checks.Bench(path, oracle.__name__, "guide", 1)
        return {result.id: result for result in checks.run(bench, notebook(**RIGHT | names), select=select).checks}

    return marked


def test_all_examples_pass_on_right_answers(marked: Any) -> None:
    results = marked()
    assert len(results) == 11
    assert {result.outcome for result in results.values()} == {Outcome.PASSED}, results


@pytest.mark.parametrize(
    ("names", "failing"),
    [
        ({"double": lambda x: x}, {"double", "double_zero", "many"}),
        ({"total": lambda values: sum(abs(value) for value in values)}, {"long_total", "total", "known_totals"}),
        ({"Counter": lambda: None}, {"object"}),
        ({"normalize": lambda values: None}, {"in_place"}),
        ({"mean": lambda values: 1.0}, {"refuses"}),
        ({"shuffle": lambda values, seed: values}, {"shuffle"}),
        ({"transitions": lambda text: np.full((4, 4), 1 / 4)}, {"bits"}),
    ],
)
def test_each_example_fails_on_a_wrong_answer(marked: Any, names: Any, failing: set[str]) -> None:
    results = marked(**names)
    assert {name for name, result in results.items() if result.outcome is not Outcome.PASSED} >= failing


def test_the_messages_are_those_of_the_guide(marked: Any) -> None:
    results = marked(double=lambda x: x, total=lambda values: sum(abs(value) for value in values))
    assert re.fullmatch(r"`double\((-?\d+)\)`: expected -?\d+, got \1\.", results["double"].message.en)
    assert results["total"].counterexample == "total([-1])"
    assert results["double_zero"].outcome is Outcome.SKIPPED
