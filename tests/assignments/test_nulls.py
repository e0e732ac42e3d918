"""Submissions that do no work earn nothing: not on one check, even when no check needs another."""

import importlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from harness.course import Assignment

Function = Callable[..., Any]
UNIFORM = np.full((40, 40), 1 / 40)


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


EXAMPLES: Mapping[str, tuple[Any, ...]] = {  # of the statements
    "bigram_counts": (["anna"],),
    "bigram_probabilities": (np.array([[3, 1], [0, 0]]), 0),
    "trigram_counts": (["léa"],),
    "trigram_probability": ({"..l": 3, "..z": 1}, "..", "l", 0),
    "transition_table": ("al", UNIFORM),
    "average_nll": (["al", ""], UNIFORM),
    "sample_names": (UNIFORM, 10, 1),
    "softmax": (tensor([0.0, math.log(3)]),),
    "causal_mask": (3,),
    "scaled_dot_product": (tensor([[[0.0]]]), tensor([[[1.0], [2.0]]]), tensor([[[4.0], [8.0]]])),
    "multi_head": (tensor([[[1.0, 0.0], [5.0, 3.0]]]), *(tensor([[1.0, 0.0], [0.0, 1.0]]),) * 4, 2, True),
}


def filled(value: Any, number: float) -> Any:
    """Something built like `value` in which every number is `number` and every string empty."""
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, number)
    if isinstance(value, np.ndarray):
        return np.full_like(value, number)
    if isinstance(value, list | tuple):
        return type(value)(filled(item, number) for item in value)
    if isinstance(value, dict):
        return {key: filled(item, number) for key, item in value.items()}
    return "" if isinstance(value, str) else type(value)(number)


def averaged(value: Any) -> Any:
    """Every array full of its own mean, every scalar the uniform probability."""
    if isinstance(value, torch.Tensor | np.ndarray):
        mean = float(value.sum()) / max(1, math.prod(value.shape))
        return filled(value, mean)
    if isinstance(value, list | tuple):
        return type(value)(averaged(item) for item in value)
    return 1 / 40 if isinstance(value, float) else filled(value, 1)


def noise(value: Any, generator: np.random.Generator) -> Any:
    """Random numbers where `value` has numbers."""
    if isinstance(value, torch.Tensor):
        return torch.as_tensor(generator.random(value.shape)).to(value.dtype)
    if isinstance(value, np.ndarray):
        return np.asarray(generator.random(value.shape)).astype(value.dtype)
    if isinstance(value, list | tuple):
        return type(value)(noise(item, generator) for item in value)
    return float(generator.random()) if isinstance(value, float) else filled(value, 1)


def nulls(right: Function, name: str) -> Iterator[tuple[str, Function]]:
    """Functions that do none of the work of `right`, some of which even know the shape of its answer."""
    remembered = right(*EXAMPLES[name])
    generator = np.random.default_rng(3)
    firsts = itertools.count()
    yield "nothing", lambda *args: None
    yield "zeros", lambda *args: filled(right(*args), 0)
    yield "ones", lambda *args: filled(right(*args), 1)
    yield "not a number", lambda *args: filled(right(*args), math.nan) if name in FLOATS else math.nan
    yield "the mean", lambda *args: averaged(right(*args))
    yield "noise", lambda *args: noise(right(*args), generator)
    yield "the first argument", lambda *args: args[0]
    yield "the last argument", lambda *args: args[-1]
    yield "the statement's example", lambda *args: remembered
    yield "right once, then never again", lambda *args: right(*args) if next(firsts) == 0 else None
    yield "empty list", lambda *args: []
    yield "empty dictionary", lambda *args: {}


FLOATS = {"bigram_probabilities", "average_nll", "trigram_probability", "softmax", "scaled_dot_product", "multi_head"}
KINDS = [name for name, _ in nulls(lambda *args: 0, "causal_mask")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_submission_earns_nothing_on_any_check(assignment: Assignment, mark: Any, kind: str) -> None:
    oracle = importlib.import_module(assignment.file.oracle)
    names = {
        entry.name: dict(nulls(getattr(oracle, entry.name), entry.name))[kind] for entry in assignment.file.entry_points
    }
    results = mark(assignment, names, alone=True)
    assert {check: result.points for check, result in results.items() if result.points} == {}
    assert not [result for result in results.values() if result.outcome == "infrastructure"]


def test_an_empty_notebook_earns_nothing(assignment: Assignment, mark: Any) -> None:
    assert {result.outcome for result in mark(assignment, {}, alone=True).values()} == {"missing"}


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
