"""What is shown of a value is short, safe to print and, where it is whole, makes the value again."""

import sys
from typing import Any

import numpy as np
import pytest
import torch

from harness.checks.show import brief, call_brief, clean, source
from harness.kernel.contract import Handle

VALUES = [
    None,
    True,
    -3,
    0.1,
    float("inf"),
    "é\n\x1b",
    b"\xff",
    [],
    (1,),
    {"a": [1, (2.5, None)]},
    np.array([[1, 2]], dtype=np.int8),
    np.zeros((0, 3)),
    np.array([np.nan]),
    np.float32(0.5),
    torch.tensor([[1.5]], dtype=torch.float32),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_source_makes_the_value_again(value: Any) -> None:
    names = {"np": np, "torch": torch, "nan": float("nan"), "inf": float("inf")}
    again = eval(source(value), names)
    np.testing.assert_equal(np.asarray(again), np.asarray(value)) if hasattr(value, "shape") else None
    if not hasattr(value, "shape"):
        assert again == value


def test_large_values_are_cut_without_being_written_out() -> None:
    deep: Any = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    for value in ("x" * 10**7, list(range(10**6)), np.zeros((3000, 400)), deep, 10**100_000, {"a" * 10**6: 1}):
        assert len(brief(value)) <= 160
        assert len(source(value)) <= 2000
    assert brief(np.zeros((3000, 400))) == "<float64 array of shape (3000, 400)>"


def test_a_call_shares_its_length_among_its_arguments() -> None:
    shown = call_brief("f", ["x" * 1000, 3], {"k": 0.5})
    assert shown.startswith("f('xxx")
    assert shown.endswith(", 3, k=0.5)")
    assert len(shown) < 160


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("a\r\n\tb", "a b"),
        ("\x00\x07", "\\x00\\x07"),
        ("\u202egnp", "\\u202egnp"),
        ("\ud800", "\\ud800"),
        ("«\u00a0é\u00a0»\u202f!", "«\u00a0é\u00a0»\u202f!"),
    ],
)
def test_strings_of_students_are_safe_to_print(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    clean(text).encode()


def test_long_strings_are_cut() -> None:
    assert clean("x" * 10**7, chars=10) == "x" * 10 + "…"


def test_an_object_that_stays_is_named_safely() -> None:
    assert brief(Handle(1, "T\x1b[31m\n", 1)) == "<T>"
