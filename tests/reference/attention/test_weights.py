"""Softmax against SciPy and torch, its gradient against finite differences, and its rules at the edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from reference.attention import softmax


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.floats(-700, 700) | st.just(-math.inf), min_size=1, max_size=9).filter(lambda row: max(row) > -math.inf)
)
def test_softmax_equals_scipy_down_to_the_smallest_weight(row: list[float]) -> None:
    np.testing.assert_allclose(
        softmax(torch.tensor(row, dtype=torch.float64)), special.softmax(row), rtol=1e-13, atol=1e-300
    )


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (0, 4), (2, 3, 4), (2, 1000)])
def test_softmax_equals_torch_in_every_shape(shape, normal, proof) -> None:
    proof(softmax, "torch.softmax").close(softmax(normal(*shape)), torch.softmax(normal(*shape), dim=-1), within=1e-15)
    proof(softmax, "scipy.special.softmax").close(softmax(normal(*shape)), _scipy(normal(*shape)), within=1e-15)


def _scipy(scores: torch.Tensor) -> np.ndarray:
    return special.softmax(scores.numpy(), axis=-1) if scores.numel() else scores.numpy()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([1e308, -1e308], [1.0, 0.0]),
        ([1e308, 1e308], [0.5, 0.5]),
        ([1e300, -1e300, 1e300, 0.0], [0.5, 0.0, 0.5, 0.0]),
        ([-1e308, -math.inf], [1.0, 0.0]),
        ([-math.inf, -math.inf], [0.0, 0.0]),
        ([-math.inf], [0.0]),
        ([7.0], [1.0]),
        ([2.0] * 4, [0.25] * 4),
    ],
)
def test_softmax_of_extreme_scores_is_exact(row: list[float], expected: list[float]) -> None:
    assert softmax(torch.tensor(row, dtype=torch.float64)).tolist() == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_softmax_refuses_what_is_no_score(bad: float) -> None:
    with pytest.raises(ValueError, match=f"expected finite values or -inf, got {bad}"):
        softmax(torch.tensor([0.0, bad], dtype=torch.float64))
    with pytest.raises(TypeError, match="scores"):
        softmax(torch.zeros(2, dtype=torch.float32))


def test_gradients_equal_finite_differences_and_are_zero_where_all_is_masked(normal) -> None:
    assert torch.autograd.gradcheck(softmax, normal(2, 3).requires_grad_())
    masked = torch.full((2, 3), -torch.inf, dtype=torch.float64, requires_grad=True)
    softmax(masked).sum().backward()
    assert masked.grad is not None
    assert masked.grad.tolist() == [[0.0] * 3] * 2
