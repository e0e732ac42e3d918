"""Null notebooks in this process: what each kind answers, and that none of them changes how the right ones work."""

import math
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.audit.bareme_null import Stage, averaged, filled, is_plain, key, noise, null
from harness.audit.nulls import EMPTY, MEMORISED, TITLES

SOLUTION = """
import numpy as np

def double(x):
    return 2 * np.asarray(x)

def sum_of_doubles(x):
    return float(double(x).sum())

def words(n):
    return [("a" * i, i) for i in range(n)]

class Counter:
    def __init__(self, start):
        self.value = start
        self.steps = [start]

    def add(self, x):
        self.value += x
        return self.value

def total(counter):
    return counter.value
"""
NAMES = ["double", "sum_of_doubles", "words", "Counter", "total"]


def stage(cells: list[str], names: list[str] = NAMES) -> tuple[Stage, dict[str, Any]]:
    scope: dict[str, Any] = {}
    made = Stage(scope, names)
    for cell in cells:
        exec(cell, scope)
        made.watch()
    return made, scope


@pytest.fixture
def installed() -> Callable[[str], dict[str, Any]]:
    """The solution with its example calls, made hollow."""

    def install(kind: str) -> dict[str, Any]:
        made, scope = stage([SOLUTION, "double([1, 2])\nwords(2)", "double([5])"])
        made.install(kind)
        return scope

    return install


def test_shapes_and_types_are_kept_and_values_are_not(installed: Any) -> None:
    zeros = installed("zeros")
    assert zeros["double"]([[1, 2]]).tolist() == [[0, 0]]
    assert zeros["words"](2) == [("", 0), ("", 0)]
    assert zeros["sum_of_doubles"]([1.0]) == 0.0  # found by the right `double`, not by the hollow one
    assert installed("ones")["sum_of_doubles"]([3.0]) == 1.0
    assert math.isnan(installed("nan")["sum_of_doubles"]([3.0]))
    assert installed("mean")["double"]([1.0, 2.0]).tolist() == [3.0, 3.0]


def test_arguments_and_constants(installed: Any) -> None:
    assert installed("first")["words"](3) == 3
    assert installed("second")["double"]("x", y="y") == "y"
    assert installed("last")["double"]("x", "y", "z") == "z"
    assert installed("nothing")["double"]([1]) is None
    assert installed("list")["double"]([1]) == []
    assert installed("dict")["double"]([1]) == {}


def test_the_example_is_the_first_call_of_the_notebooks_own_cells(installed: Any) -> None:
    example = installed("example")
    assert example["double"]([7]).tolist() == [2, 4]
    assert example["words"](5) == [("", 0), ("a", 1)]
    assert example["total"](None) is None  # no cell has called it


def test_right_once_and_then_never(installed: Any) -> None:
    once = installed("once")
    assert [once["sum_of_doubles"]([1.0]) for _ in range(3)] == [2.0, None, None]


def test_objects_are_hollow_but_work_for_the_right_functions(installed: Any) -> None:
    zeros = installed("zeros")
    counter = zeros["Counter"](4)
    assert (counter.add(3), counter.value, counter.steps) == (0, 0, [0])
    ones = installed("ones")
    assert ones["total"](ones["Counter"](4)) == 1


def test_arguments_are_left_as_they_were() -> None:
    made, scope = stage(["def fill(xs):\n    xs.append(1)\n    return xs"], ["fill"])
    made.install("zeros")
    mine = [3]
    assert scope["fill"](mine) == [0, 0]
    assert mine == [3]


def test_what_a_gradient_goes_through_can_be_watched() -> None:
    cell = "import torch\ndef loss(w):\n    return (w ** 2).sum()\nloss(torch.ones(2, requires_grad=True))"
    made, scope = stage([cell], ["loss"])
    made.install("zeros")
    assert scope["loss"](torch.ones(2)).item() == 0.0


def test_the_public_examples_are_known_by_heart_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    memory = [("double", (np.array([1.0, 2.0]),), {}, [2.0, 4.0]), ("double", ([5],), {"y": 1}, [10])]
    path.write_bytes(pickle.dumps(memory))
    scope: dict[str, Any] = {}
    Stage(scope, ["double", "words"]).recite(str(path))
    assert scope["double"](np.array([1.0, 2.0])) == [2.0, 4.0]
    assert scope["double"]([5], y=1) == [10]
    assert scope["double"]("something else") == [10]
    assert scope["words"](3) is None


@pytest.mark.parametrize("kind", [kind for kind in TITLES if kind not in {EMPTY, MEMORISED}])
def test_every_kind_answers_whatever_the_right_answer_is(installed: Any, kind: str) -> None:
    scope = installed(kind)
    for name, argument in [("double", [1]), ("sum_of_doubles", [1]), ("words", 2), ("Counter", 1)]:
        scope[name](argument)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no null 'fives'"):
        null("fives", lambda *_: None, None, random.Random(0))


@pytest.mark.parametrize(
    ("value", "ones"),
    [
        (torch.tensor([2, 3]), torch.tensor([1, 1])),
        (torch.zeros(2, dtype=torch.bool), torch.ones(2, dtype=torch.bool)),
        (np.array(["a", "b"]), np.array(["", ""])),
        (np.float64(3.0), np.float64(1.0)),
    ],
)
def test_arrays_of_every_type_are_filled(value: Any, ones: Any) -> None:
    one = filled(value, 1)
    assert (type(one), one.dtype, one.shape) == (
        type(np.asarray(ones)) if value.shape == () else type(ones),
        ones.dtype,
        ones.shape,
    )
    assert (one == ones).all()


def test_whole_numbers_have_no_nan() -> None:
    assert filled([1, True, torch.tensor([1]), np.array([1])], math.nan)[:2] == [0, False]


def test_means_and_noise_keep_the_shape() -> None:
    assert averaged(torch.tensor([1.0, 3.0])).tolist() == [2.0, 2.0]
    assert averaged([0.0, (True,)]) == [0.5, (True,)]
    assert averaged(torch.tensor(3.0)).item() == averaged(np.array([[3.0]])).item() == 0.5
    assert averaged(np.zeros((0, 3))).shape == (0, 3)
    drawn = noise([np.zeros((2, 3)), torch.zeros(2, dtype=torch.int64), 1.0, "word"], random.Random(0))
    assert (drawn[0].shape, drawn[1].dtype, drawn[3]) == ((2, 3), torch.int64, "")
    assert len(np.unique(drawn[0])) == 6


def test_keys_tell_apart_what_differs() -> None:
    values = [1, 1.0, True, "1", [1], (1,), {1: 2}, np.array([1]), np.array([1.0]), torch.tensor([1]), np.array([[1]])]
    assert len({key(value) for value in values}) == len(values)
    assert key({"a": np.arange(3)}) == key({"a": np.arange(3)})


def test_only_data_is_plain() -> None:
    assert is_plain([1, ("a", {"b": np.zeros(1)}), torch.zeros(1), None])
    assert not is_plain([object()])
    assert not is_plain({"a": len})
