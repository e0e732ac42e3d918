"""What `@checked` refuses at the call."""

import random

import numpy as np
import pytest
from jaxtyping import Float64

from reference.checked import checked
from reference.ngram import bigram_counts


@checked
def trace(square: Float64[np.ndarray, "V V"]) -> float:  # noqa: F722 shapes, not forward references
    return float(np.trace(square))


@checked
def broken() -> int:
    return "not an int"  # type: ignore[return-value]


def test_right_shapes_pass() -> None:
    assert trace(np.eye(3)) == 3.0


@pytest.mark.parametrize("value", [np.ones((2, 3)), np.ones((2, 2), dtype=np.float32), [[1.0]]])
def test_wrong_shape_dtype_or_type_is_refused_with_what_was_expected(value: object) -> None:
    with pytest.raises(TypeError, match="Float64"):
        trace(value)  # type: ignore[arg-type]


def test_a_wrong_result_is_refused_too() -> None:
    with pytest.raises(TypeError, match="not an int"):
        broken()


def test_the_global_generator_is_left_as_it_was() -> None:
    random.seed(8)
    before = random.getstate()
    bigram_counts(["anna", "zoé", "abel"])
    assert random.getstate() == before
