"""Attention against torch's own kernels, gradients against finite differences, and the rules at the edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from torch import Tensor
from torch.nn import functional

from reference.attention import causal_mask, multi_head, scaled_dot_product, softmax

# float64, sums of a few dozen terms of size about 1: 100 · 2^-53 ≈ 1e-14, with a margin of ten
TOLERANCE = 1e-13


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=TOLERANCE, atol=TOLERANCE)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(
    st.lists(st.floats(-700, 700) | st.just(-math.inf), min_size=1, max_size=9).filter(lambda row: max(row) > -math.inf)
)
def test_softmax_equals_scipy(row: list[float]) -> None:
    np.testing.assert_allclose(
        softmax(torch.tensor(row, dtype=torch.float64)), special.softmax(row), rtol=1e-13, atol=1e-300
    )


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (0, 4), (2, 3, 4)])
def test_softmax_equals_torch_in_every_shape(shape: tuple[int, ...]) -> None:
    assert_close(softmax(normal(*shape)), torch.softmax(normal(*shape), dim=-1))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([1e308, -1e308], [1.0, 0.0]),
        ([1e308, 1e308], [0.5, 0.5]),
        ([-1e308, -math.inf], [1.0, 0.0]),
        ([-math.inf, -math.inf], [0.0, 0.0]),
        ([-math.inf], [0.0]),
    ],
)
def test_softmax_of_extreme_scores_is_exact(row: list[float], expected: list[float]) -> None:
    assert softmax(torch.tensor(row, dtype=torch.float64)).tolist() == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_softmax_refuses_what_is_no_score(bad: float) -> None:
    with pytest.raises(ValueError, match=f"got {bad}"):
        softmax(torch.tensor([0.0, bad], dtype=torch.float64))


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_causal_mask_is_the_lower_triangle(n: int) -> None:
    assert torch.equal(causal_mask(n), torch.ones(n, n, dtype=torch.bool).tril())


def test_causal_mask_refuses_a_negative_length() -> None:
    with pytest.raises(ValueError, match="got -1"):
        causal_mask(-1)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (2, 3, 5, 4, 7), (3, 6, 2, 1, 2), (0, 2, 2, 2, 2), (1, 0, 3, 2, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_scaled_dot_product_equals_torch(sizes: tuple[int, ...], masked: bool) -> None:
    b, t, s, d, e = sizes
    q, k, v = normal(b, t, d, seed=1), normal(b, s, d, seed=2), normal(b, s, e, seed=3)
    mask = torch.rand((t, s), generator=torch.Generator().manual_seed(4)) < 0.7 if masked else None
    if mask is not None and s:
        mask[:, 0] = True  # torch has no rule for a row that is masked throughout
    outputs, weights = scaled_dot_product(q, k, v, mask)
    assert_close(outputs, functional.scaled_dot_product_attention(q, k, v, attn_mask=mask))
    assert_close(weights.sum(-1), torch.ones(b, t, dtype=torch.float64))
    assert_close(weights @ v, outputs)


def test_leading_dimensions_are_a_batch() -> None:
    q, k, v = normal(2, 3, 4, 5), normal(2, 3, 6, 5, seed=1), normal(2, 3, 6, 7, seed=2)
    outputs, _ = scaled_dot_product(q, k, v)
    assert_close(outputs, functional.scaled_dot_product_attention(q, k, v))


def test_who_may_look_nowhere_gets_zeros() -> None:
    mask = torch.tensor([[False, False], [True, False]])
    outputs, weights = scaled_dot_product(normal(1, 2, 3), normal(1, 2, 3), normal(1, 2, 2), mask)
    assert outputs[0, 0].tolist() == [0.0, 0.0]
    assert weights[0].tolist() == [[0.0, 0.0], [1.0, 0.0]]
    outputs, weights = scaled_dot_product(normal(1, 2, 3), normal(1, 0, 3), normal(1, 0, 2))
    assert weights.shape == (1, 2, 0)
    assert outputs.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_scaled_dot_product_refuses_what_has_no_value() -> None:
    with pytest.raises(ValueError, match="width d of 1 or more"):
        scaled_dot_product(normal(1, 2, 0), normal(1, 2, 0), normal(1, 2, 1))
    with pytest.raises(ValueError, match="finite scores, got inf"):
        scaled_dot_product(normal(1, 1, 1).abs() * 1e200, normal(1, 1, 1).abs() * 1e200, normal(1, 1, 1))
    with pytest.raises(TypeError, match="mask"):
        scaled_dot_product(normal(1, 2, 3), normal(1, 4, 3), normal(1, 4, 3), torch.ones(4, 2, dtype=torch.bool))


@pytest.mark.parametrize("n_heads", [1, 2, 3, 6])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("length", [1, 5])
def test_multi_head_equals_torch_nn(n_heads: int, causal: bool, length: int) -> None:
    width = 6
    x = normal(2, length, width)
    w_q, w_k, w_v, w_o = (normal(width, width, seed=seed) for seed in range(1, 5))
    layer = torch.nn.MultiheadAttention(width, n_heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():  # torch keeps its matrices to be applied from the left
        layer.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        layer.out_proj.weight.copy_(w_o.T)
    hidden = ~torch.ones(length, length, dtype=torch.bool).tril() if causal else None  # torch: true is masked
    expected, _ = layer(x, x, x, attn_mask=hidden, need_weights=False)
    # outputs are of size about 20 here: relative to that
    torch.testing.assert_close(multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal), expected, rtol=1e-12, atol=1e-12)


def test_multi_head_of_no_position_is_empty() -> None:
    weights = (normal(4, 4), normal(4, 4), normal(4, 4), normal(4, 4))
    assert multi_head(normal(2, 0, 4), *weights, 2, True).shape == (2, 0, 4)


@pytest.mark.parametrize("n_heads", [0, -2, 3, 8])
def test_heads_must_divide_the_width(n_heads: int) -> None:
    weights = (normal(4, 4), normal(4, 4), normal(4, 4), normal(4, 4))
    with pytest.raises(ValueError, match=f"divisor of D = 4, got {n_heads}"):
        multi_head(normal(1, 2, 4), *weights, n_heads)


def test_causal_outputs_do_not_move_when_the_future_does() -> None:
    weights = (normal(6, 6), normal(6, 6, seed=1), normal(6, 6, seed=2), normal(6, 6, seed=3))
    x, other = normal(1, 5, 6), normal(1, 5, 6)
    other[:, 3:] = 9.0
    before, after = (multi_head(value, *weights, 3, True) for value in (x, other))
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_gradients_equal_finite_differences() -> None:
    mask = torch.tensor([[True, False, True], [False, False, False]])  # the second query looks nowhere
    scores = normal(2, 3).requires_grad_()
    assert torch.autograd.gradcheck(softmax, scores)
    q, k, v = (normal(*shape, seed=i).requires_grad_() for i, shape in enumerate([(1, 2, 2), (1, 3, 2), (1, 3, 2)]))
    assert torch.autograd.gradcheck(lambda q, k, v: scaled_dot_product(q, k, v, mask), (q, k, v))
    inputs = [normal(1, 3, 4).requires_grad_(), *(normal(4, 4, seed=seed).requires_grad_() for seed in range(1, 5))]
    assert torch.autograd.gradcheck(lambda *given: multi_head(*given, 2, True), inputs)  # type: ignore[call-arg]


def test_arguments_are_left_alone_and_any_strides_will_do() -> None:
    q, k, v = normal(2, 3, 4).mT, normal(2, 3, 5).mT, normal(2, 10, 4)[:, ::2]
    copies = [value.clone() for value in (q, k, v)]
    strided, _ = scaled_dot_product(q, k, v)
    contiguous, _ = scaled_dot_product(*(value.contiguous() for value in copies))
    assert_close(strided, contiguous)
    assert all(torch.equal(value, copy) for value, copy in zip((q, k, v), copies, strict=True))
