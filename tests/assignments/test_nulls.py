"""Submissions that do no work earn nothing: not on one check, even when no check needs another.

`bareme audit` marks the same notebooks in real sandboxes, as they are: there, checks do need each other.
"""

from collections.abc import Callable
from typing import Any

import pytest

from harness import checks
from harness.audit.bareme_null import Stage
from harness.audit.nulls import EMPTY, MEMORISED, TITLES
from harness.course import Assignment

Function = Callable[..., Any]
HOLLOW = [kind for kind in TITLES if kind not in {EMPTY, MEMORISED}]  # made of the model answer


def hollow(assignment: Assignment, solve: Any, kind: str) -> dict[str, Any]:
    """The model answer as a null; what it knows of the statement's examples is what its own cells call."""
    stages: list[Stage] = []

    def watch(scope: dict[str, Any]) -> None:
        if not stages:
            stages.append(Stage(scope, [entry.name for entry in assignment.file.entry_points]))
        stages[0].watch()

    names: dict[str, Any] = solve(assignment, watch=watch)
    stages[0].install(kind)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOLLOW)
def test_a_null_submission_earns_nothing_on_any_check(assignment: Assignment, solve: Any, mark: Any, kind: str) -> None:
    results = mark(assignment, hollow(assignment, solve, kind), alone=True)
    # what is measured may take one call, such as training a model: right once is then all there is
    measured = {spec.id for spec in checks.collect(assignment.checks) if spec.measures} if kind == "once" else set()
    assert {check: one.points for check, one in results.items() if one.points and check not in measured} == {}
    assert not [result for result in results.values() if result.outcome == "infrastructure"]


def test_an_empty_notebook_earns_nothing(assignment: Assignment, mark: Any) -> None:
    assert {result.outcome for result in mark(assignment, {}, alone=True).values()} == {"missing"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        lambda table, n, seed: [""] * n,
        lambda table, n, seed: ["a"] * n,
        lambda table, n, seed: ["anna", "léa"] * (n // 2),
        lambda table, n, seed: [str(seed)] * n,
        lambda table, n, seed: ["z" * 30] * n,
        lambda table, n, seed: iter([""]),
        lambda table, n, seed: [None] * n,
    ],
)
def test_names_that_are_not_drawn_earn_nothing(course: Any, mark: Any, names: Function) -> None:
    results = mark(course.assignment("ngram"), {"sample_names": names}, alone=True)
    assert sum(result.points for result in results.values()) == 0
    assert not [result for result in results.values() if result.outcome == "infrastructure"]
