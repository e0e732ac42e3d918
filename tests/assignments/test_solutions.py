"""The model answers earn everything, whatever the seed, and so does the oracle itself."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from harness.course import Assignment, Course
from harness.records import Outcome

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(5))
def test_the_model_answer_earns_every_point(assignment: Assignment, solve: Any, mark: Any, seed: int) -> None:
    results = mark(assignment, solve(assignment), seed=seed)
    assert {result.outcome for result in results.values()} == {Outcome.PASSED}
    assert all(result.points == result.max_points for result in results.values())


@pytest.mark.parametrize("slug", ["attention", "finetuning", "ngram", "tokenizer", "transformer"])
def test_an_oracle_that_offers_what_students_write_earns_every_point(course: Course, mark: Any, slug: str) -> None:
    """In `rag` and `sampling`, students write functions that the oracle has in another form."""
    assignment = course.assignment(slug)
    results = mark(assignment, vars(importlib.import_module(assignment.file.oracle)))
    assert {result.outcome for result in results.values()} == {Outcome.PASSED}


def test_inputs_are_other_ones_with_another_seed_and_the_same_with_the_same(
    assignment: Assignment, solve: Any, mark: Any
) -> None:
    def inputs(seed: int) -> str:
        seen: list[str] = []
        names = {name: recorded(function, seen) for name, function in solve(assignment).items() if callable(function)}
        mark(assignment, names, seed=seed)
        return "\n".join(seen)

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


def recorded(function: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def record(*args: Any) -> Any:
        seen.append(repr(args))
        return function(*args)

    return record
