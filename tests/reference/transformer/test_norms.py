"""Norms against torch's, and their rules at the edges."""

import math

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional

from reference.transformer import LayerNorm, RMSNorm, layer_norm, rms_norm

# sums of up to a hundred terms of size 1, divided by a root: 100 · 2^-53 ≈ 1e-14
TOLERANCE = 1e-13
SHAPES = [(1,), (7,), (3, 5), (2, 3, 100), (0, 4), (3, 0, 2), (4, 1)]


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layer_norm(normal, proof, shape, eps):
    x, weight, bias = 3 + 2 * normal(*shape), normal(shape[-1]), normal(shape[-1])
    theirs = functional.layer_norm(x, shape[-1:], weight, bias, eps)
    proof(layer_norm, "torch layer_norm").close(layer_norm(x, weight, bias, eps=eps), theirs, within=TOLERANCE)


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rms_norm(normal, proof, shape, eps):
    x, weight = 3 + 2 * normal(*shape), normal(shape[-1])
    theirs = functional.rms_norm(x, shape[-1:], weight, eps)
    proof(rms_norm, "torch rms_norm").close(rms_norm(x, weight, eps=eps), theirs, within=TOLERANCE)


def test_modules(normal, proof):
    x = normal(2, 3, 5)
    for ours, theirs in (
        (LayerNorm(5, eps=1e-3), nn.LayerNorm(5, eps=1e-3)),
        (RMSNorm(5, eps=1e-3), nn.RMSNorm(5, eps=1e-3)),
    ):
        theirs = theirs.double()
        proof(type(ours), f"torch.nn.{type(ours).__name__}, as it starts").close(ours(x), theirs(x), within=TOLERANCE)
        ours.load_state_dict({name: normal(5) for name in ours.state_dict()})
        theirs.load_state_dict(ours.state_dict())
        proof(type(ours), f"torch.nn.{type(ours).__name__}").close(ours(x), theirs(x), within=TOLERANCE)


def test_defaults_are_torchs_and_llamas():
    assert LayerNorm(2).eps == nn.LayerNorm(2).eps == 1e-5
    assert RMSNorm(2).eps == 1e-6


def test_gradients(normal):
    inputs = [normal(2, 3, 4).requires_grad_(), normal(4).requires_grad_(), normal(4).requires_grad_()]
    assert gradcheck(layer_norm, inputs)
    assert gradcheck(rms_norm, inputs[:2])


def test_rows_of_equal_entries():
    x, weight = torch.full((2, 3), 7.0, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    bias = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert layer_norm(x, weight, bias).tolist() == [[1.0, 2.0, 3.0]] * 2
    assert rms_norm(0 * x, weight).tolist() == [[0.0, 0.0, 0.0]] * 2


def test_a_large_mean_costs_no_digits(normal):
    """Two passes: the mean goes first. One pass, with E[x²] - E[x]², would lose all digits here."""
    x, ones, zeros = normal(1, 50), torch.ones(50, dtype=torch.float64), torch.zeros(50, dtype=torch.float64)
    shifted = layer_norm(x + 2.0**30, ones, zeros)  # x itself loses 30 bits: 2^-23
    assert torch.allclose(shifted, layer_norm(x, ones, zeros), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e200])
def test_what_has_no_finite_variance_is_refused(bad):
    x, weight = torch.tensor([[0.0, 1.0], [2.0, bad]], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    with pytest.raises(ValueError, match="variance of x: expected finite values, got"):
        layer_norm(x, weight, weight)
    with pytest.raises(ValueError, match="mean square of x: expected finite values, got"):
        rms_norm(x, weight)


def test_large_entries_are_fine():
    x, weight = torch.tensor([[-1e150, 1e150]], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    assert rms_norm(x, weight).tolist() == [[-1.0, 1.0]]
    assert layer_norm(x, weight, 0 * weight).tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("eps", [0.0, -1.0, math.nan, math.inf])
def test_an_eps_that_cannot_be_is_refused(normal, eps):
    with pytest.raises(ValueError, match="eps: expected a finite number above 0, got"):
        layer_norm(normal(2, 3), normal(3), normal(3), eps=eps)
    with pytest.raises(ValueError, match="eps: expected a finite number above 0, got"):
        rms_norm(normal(2, 3), normal(3), eps=eps)


def test_no_width_is_refused(normal):
    with pytest.raises(ValueError, match="width D of x: expected 1 or more, got 0"):
        layer_norm(normal(2, 0), normal(0), normal(0))
    with pytest.raises(ValueError, match="width D of x: expected 1 or more, got 0"):
        rms_norm(normal(2, 0), normal(0))


def test_other_widths_and_types_are_refused(normal):
    with pytest.raises(TypeError):
        layer_norm(normal(2, 3), normal(2), normal(2))
    with pytest.raises(TypeError):
        rms_norm(normal(2, 3).float(), normal(3).float())
    with pytest.raises(TypeError):
        RMSNorm(3)(normal(2, 4))


@pytest.mark.parametrize("entry", [0.1, 1e15 / 3, 1e100, 1e153, -1e100])
def test_rows_of_equal_entries_give_the_bias_itself(entry):
    """A mean that is off by one rounding would be all the variance that there is, and large entries come out as 1."""
    for width in range(1, 20):
        x, ones = torch.full((1, width), entry, dtype=torch.float64), torch.ones(width, dtype=torch.float64)
        assert torch.equal(layer_norm(x, ones, 3 * ones)[0], 3 * ones)


def test_large_entries_meet_large_weights():
    x, weight = torch.tensor([[-1e150, 1e150]], dtype=torch.float64), torch.full((2,), 1e200, dtype=torch.float64)
    expected = torch.tensor([[-1e200, 1e200]], dtype=torch.float64)
    torch.testing.assert_close(rms_norm(x, weight), expected, rtol=1e-15, atol=0)
    torch.testing.assert_close(layer_norm(x, weight, 0 * weight), expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("width", [0, -1])
@pytest.mark.parametrize("module", [LayerNorm, RMSNorm])
def test_modules_without_width_are_refused(module, width):
    with pytest.raises(ValueError, match=f"width: expected 1 or more, got {width}"):
        module(width)
