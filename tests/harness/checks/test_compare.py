"""Every rule of the comparison, from the side that passes and the side that does not."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from harness.checks.compare import difference, tolerance

TABLE = np.arange(1600).reshape(40, 40)
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (3, 3),
        (np.int8(3), 3),
        (10**400, 10**400),
        (2, 2.0),
        (torch.tensor(2.0), 2.0),
        (np.array(2), 2),
        (2.0, np.array(2.0)),
        ("é", "é"),
        (b"\x00", b"\x00"),
        ([1, (2, "a")], (1, [2, "a"])),
        ({"b": 1, "a": [2.0]}, {"a": [2.0], "b": 1}),
        (torch.tensor(TABLE), TABLE),
        (TABLE.astype(np.uint16), torch.tensor(TABLE)),
        (TABLE, TABLE.astype(float)),
        (np.zeros((0, 3)), torch.zeros(0, 3)),
        ([NAN, INF, -INF], [NAN, INF, -INF]),
        (np.array([NAN, INF, 1.0]), np.array([NAN, INF, 1.0])),
        (np.array([1.0 + 1e-15, 1e-16]), np.array([1.0, 0.0])),
        (0.1 + 0.2, 0.3),
        (np.array([1j]), np.array([1j])),
        (torch.tensor([1.5], dtype=torch.float32), np.array([1.5])),
    ],
)
def test_right_answers(actual: Any, expected: Any) -> None:
    assert difference(actual, expected) is None


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (0, None, "expected None, got an integer"),
        (1, True, "expected a boolean, got an integer"),
        (True, 1, "expected an integer, got a boolean"),
        (True, 1.0, "expected a float, got a boolean"),
        (2.0, 2, "expected an integer, got a float"),
        (10**400, 1.0, "expected 1.0, got float('inf')"),
        ("2", 2, "expected an integer, got a string"),
        (b"a", "a", "expected a string, got bytes"),
        ("abd", "abc", "expected 'abc', got 'abd'"),
        ([1], [1, 2], "expected length 2, got 1"),
        ([1, [2, 3]], [1, [2, 4]], "at [1][1]: expected 4, got 3 (1 of 3 values differ; largest difference 1"),
        ({"a": 1}, {"b": 1}, "the key 'b' is missing"),
        ({"a": 1, "b": 1}, {"a": 1}, "the key 'b' should not be there"),
        ({"a": [0]}, {"a": [5]}, "at ['a'][0]: expected 5, got 0"),
        ([1, 2], np.array([1, 2]), "expected an array (integer), got a list"),
        (np.array([1, 2]), [1, 2], "expected a list, got an array (integer)"),
        (np.array([2]), 2, "expected an integer, got an array (integer)"),
        (TABLE.astype(float), TABLE, "expected an array (integer), got an array (float)"),
        (TABLE > 3, TABLE, "expected an array (integer), got an array (boolean)"),
        (TABLE[:, :1], TABLE, "expected shape (40, 40), got (40, 1)"),
        (TABLE[0, 0], TABLE, "expected an array (integer), got an integer"),
        (np.zeros(3), np.zeros(4), "expected shape (4,), got (3,)"),
        (np.array([1.0, NAN]), np.array([1.0, 2.0]), "at [1]: expected 2.0, got float('nan')"),
        (np.array([1.0, 2.0]), np.array([1.0, NAN]), "at [1]: expected float('nan'), got 2.0"),
        (np.array([1.0, 2.0]), np.array([1.0, INF]), "at [1]: expected float('inf'), got 2.0"),
        (np.array([-INF]), np.array([INF]), "at [0]: expected float('inf'), got float('-inf')"),
        (np.uint8([255]), np.array([-1]), "at [0]: expected -1, got 255"),
        (np.array([[0.5, 0.5]]), np.array([[0.5, 0.25]]), "at [0, 1]: expected 0.25, got 0.5"),
        (np.float32([0.1]), np.array([0.1]), "at [0]: expected 0.1"),
        (object(), 1, "expected an integer, got an object of type <object>"),
    ],
)
def test_wrong_answers(actual: Any, expected: Any, words: str) -> None:
    found = difference(actual, expected)
    assert found is not None
    assert words in found.en
    assert found.fr != found.en


def test_the_first_the_largest_and_the_number_of_differences_are_told() -> None:
    answer = TABLE.copy()
    answer[0, 1] += 1
    answer[2, 3] -= 7
    answer[5, 5] += 2
    found = difference(answer, TABLE)
    assert found is not None
    assert found.en == "at [0, 1]: expected 1, got 2 (3 of 1600 values differ; largest difference 7 at [2, 3])."
    assert found.fr == (
        "en [0, 1]\u00a0: attendu 1, obtenu 2"
        " (valeurs fausses\u00a0: 3 sur 1600\u00a0; plus grand écart\u00a0: 7 en [2, 3])."
    )


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e200])
@pytest.mark.parametrize("container", [np.array, list, lambda values: values[0]])
def test_zeros_pass_for_nothing_but_zeros(scale: float, container: Any) -> None:
    expected = np.array([scale, scale / 2, 0.0]).tolist()
    assert difference(container([0.0] * 3), container(expected), rtol=0.09) is not None
    assert difference(container([0.0] * 3), container([0.0] * 3)) is None


def test_the_tolerance_follows_type_and_length_of_the_sum() -> None:
    assert tolerance("float64", terms=1) == 64 * 2.0**-52
    assert tolerance("float64", terms=100) == pytest.approx(640 * 2.0**-52)
    assert tolerance("float32") > 1e8 * tolerance("float64")
    with pytest.raises(ValueError, match="checks nothing"):
        tolerance("bfloat16")
    with pytest.raises(ValueError, match="checks nothing"):
        difference(1.0, 1.0, rtol=0.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("terms", [16, 1024])
def test_another_order_of_summation_is_right_and_half_the_precision_is_not(dtype: str, terms: int) -> None:
    values = np.random.default_rng(0).normal(size=(200, terms)).astype(dtype)
    expected = values.sum(axis=1)
    other = np.array([sum(row.tolist()) for row in values[:, ::-1]])
    assert difference(other, expected, rtol=tolerance(dtype, terms=terms)) is None
    if dtype == "float64":
        single = values.astype("float32").sum(axis=1)
        assert difference(single, expected, rtol=tolerance(dtype, terms=terms)) is not None


def test_exact_floats() -> None:
    assert difference(0.1 + 0.2, 0.3, exact=True) is not None
    assert difference(np.array([0.1 + 0.2]), np.array([0.3]), exact=True) is not None
    assert difference(np.array([0.3, NAN]), np.array([0.3, NAN]), exact=True) is None


def test_what_is_no_data_is_refused_on_our_side_only() -> None:
    with pytest.raises(TypeError, match="not plain data"):
        difference(1, {1, 2})


def test_long_values_are_cut() -> None:
    found = difference("x" * 100_000, "y" * 100_000)
    assert found is not None
    assert len(found.en) < 500
