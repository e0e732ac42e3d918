"""Activations against torch and SciPy, to the last digits, and their rules at the edges."""

import math

import numpy as np
import pytest
import torch
from scipy import special
from torch.autograd import gradcheck
from torch.nn import functional
from transformers.activations import ACT2FN

from reference.transformer import gelu, gelu_tanh, swiglu

# one rounding in each of a handful of steps
TOLERANCE = 1e-15
GRID = torch.linspace(-40, 40, 1601, dtype=torch.float64)


def test_gelu(normal, proof):
    for x in (GRID, normal(3, 4), normal(0), normal(2, 0, 3)):
        proof(gelu, "torch gelu").close(gelu(x), functional.gelu(x), within=TOLERANCE)


def test_gelu_keeps_its_digits_left_of_zero(proof):
    """Relative: at -10 the value is 8e-23, which an absolute comparison would not see."""
    x = torch.linspace(-35, -0.1, 500, dtype=torch.float64)
    expected = x.numpy() * special.ndtr(x.numpy())
    # exp(-x²/2) turns the rounding of x²/2 ≈ 600 into 600 · 2^-53 relative, in each of the two
    proof(gelu, "scipy.special.ndtr, relative").close(gelu(x).numpy() / expected, np.ones(500), within=1e-12)


def test_gelu_tanh(normal, proof):
    for x in (GRID, normal(3, 4), normal(0)):
        proof(gelu_tanh, "torch gelu, approximate='tanh'").close(
            gelu_tanh(x), functional.gelu(x, approximate="tanh"), within=TOLERANCE
        )
        proof(gelu_tanh, "transformers gelu_new").close(gelu_tanh(x), ACT2FN["gelu_new"](x), within=TOLERANCE)


def test_gelu_tanh_is_near_gelu():
    assert (gelu_tanh(GRID) - gelu(GRID)).abs().max() < 5e-4


def test_swiglu(normal, proof):
    for gate, up in ((GRID, GRID.flip(0)), (normal(3, 4), normal(3, 4)), (normal(0), normal(0))):
        expected = gate.numpy() * special.expit(gate.numpy()) * up.numpy()
        # relative to 1 or more: the products of the grid reach 1600
        scale = np.maximum(1, np.abs(expected))
        proof(swiglu, "scipy.special.expit").close(swiglu(gate, up).numpy() / scale, expected / scale, within=TOLERANCE)


def test_gradients(normal):
    assert gradcheck(gelu, [normal(20).requires_grad_()])
    assert gradcheck(gelu_tanh, [normal(20).requires_grad_()])
    assert gradcheck(swiglu, [normal(20).requires_grad_(), normal(20).requires_grad_()])


@pytest.mark.parametrize("activation", [gelu, gelu_tanh, lambda x: swiglu(x, torch.ones_like(x))])
def test_far_from_zero_they_are_a_ramp(activation):
    """With gradients 0 and 1, where squares and cubes overflow too."""
    x = torch.tensor([-1e300, -1e110, -1e4, 0.0, 1e4, 1e110, 1e300], dtype=torch.float64, requires_grad=True)
    y = activation(x)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 0.0, 0.0, 1e4, 1e110, 1e300]
    assert x.grad.tolist() == [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(bad):
    x = torch.tensor([0.0, bad], dtype=torch.float64)
    for refuse in (gelu, gelu_tanh, lambda x: swiglu(x, torch.zeros_like(x)), lambda x: swiglu(torch.zeros_like(x), x)):
        with pytest.raises(ValueError, match=f"expected finite values, got {bad}"):
            refuse(x)


def test_float32_and_other_shapes_are_refused(normal):
    with pytest.raises(TypeError):
        gelu(normal(3).float())
    with pytest.raises(TypeError):
        swiglu(normal(3), normal(4))


def test_a_closed_gate_has_finite_gradients():
    """gate · up overflows where the result, and what it changes by, do not."""
    gate = torch.tensor([-1e200, -10.0], dtype=torch.float64, requires_grad=True)
    up = torch.tensor([1e200, 1e308], dtype=torch.float64, requires_grad=True)
    swiglu(gate, up).sum().backward()
    weight = special.expit(-10.0)
    expected = torch.tensor([0.0, 1e308 * (weight * (1 - 10 * (1 - weight)))], dtype=torch.float64)
    torch.testing.assert_close(gate.grad, expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(up.grad, torch.tensor([0.0, -10 * weight], dtype=torch.float64), rtol=1e-14, atol=0)
