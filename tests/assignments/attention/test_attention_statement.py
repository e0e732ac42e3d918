"""What the statement of `attention` promises: given cells for every kind of answer, and a measurement that is sure."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness.course import Assignment, Course
from harness.metrics.growth.costs import MEMORY_ROUNDS, REUSED_BYTES, spread_sizes
from harness.metrics.growth.measure import BROKEN
from harness.metrics.growth.models import Costs, fit

checks = importlib.import_module("assignments.attention.checks")


@pytest.fixture
def attention(course: Course) -> Assignment:
    return course.assignment("attention")


def test_given_cells_run_on_arrays_of_numpy_and_pass_tensors_on(
    attention: Assignment, solve: Callable[..., dict[str, Any]]
) -> None:
    """The functions themselves are those of the model answer, in a notebook of their own."""
    whole = solve(attention)
    entries = [entry.name for entry in attention.file.entry_points]
    asked: set[str] = set()

    def in_numpy(scope: dict[str, Any]) -> None:
        for name in entries:
            if name in scope:
                scope[name] = returning_arrays(whole[name], asked)

    solve(attention, watch=in_numpy)
    assert asked == set(entries)


def returning_arrays(function: Callable[..., Any], asked: set[str]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        asked.add(function.__name__)
        assert not any(isinstance(one, np.ndarray) for arg in args for one in (arg if type(arg) is tuple else [arg]))
        return arrays(function(*args, **kwargs))

    return call


def arrays(answer: Any) -> Any:
    return tuple(map(arrays, answer)) if isinstance(answer, tuple) else answer.numpy()


def test_weights_that_are_all_formed_are_seen_and_a_tile_is_not(attention: Assignment) -> None:
    """Two arrays of weights, of which a kernel at rest held some free; one tile at a time takes nothing that grows."""
    sizes = spread_sizes(*checks.LENGTHS)
    item = torch.float64.itemsize
    for taken, kept in ((2 * item * sizes**2, False), (np.full_like(sizes, 3 * item * 64**2), True)):
        seen = np.maximum(0, taken - REUSED_BYTES)
        costs = Costs(sizes, np.tile(seen, (MEMORY_ROUNDS, 1)), np.hypot(REUSED_BYTES, 0.05 * (seen - seen.min())))
        assert (fit(costs).within("1") > BROKEN) == kept


def test_lengths_and_limits_are_those_of_the_statement(attention: Assignment, notebook_text: str) -> None:
    shortest, longest = checks.LENGTHS
    call_s = round(attention.file.limits.call_s)
    assert f"lengths T = S from {shortest} to {longest}" in notebook_text
    assert f"longueurs T = S de {shortest} à {longest}" in notebook_text
    assert f"the {call_s} seconds that a call may take" in notebook_text
    assert f"les {call_s} secondes accordées à un appel" in notebook_text


@pytest.fixture
def notebook_text(attention: Assignment) -> str:
    return (attention.folder / "source.ipynb").read_text(encoding="utf-8")
