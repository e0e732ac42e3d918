"""Scaled dot-product attention against torch's kernels, gradients against finite differences, rules at the edges."""

import math

import pytest
import torch
from torch.nn import functional

from reference.attention import causal_mask, padding_mask, scaled_dot_product, tiled_attention

# float64, sums of a few dozen terms of size about 1: 100 · 2^-53 ≈ 1e-14, with a margin of ten
TOLERANCE = 1e-13


def random_mask(*shape: int) -> torch.Tensor:
    """A mask whose every row shows its first key: torch has no rule for a row that is masked throughout."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(4)) < 0.6
    mask[..., :1] = True
    return mask


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (2, 3, 5, 4, 7), (3, 6, 2, 1, 2), (0, 2, 2, 2, 2), (1, 0, 3, 2, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_scaled_dot_product_equals_torch(sizes, masked, normal, proof) -> None:
    b, t, s, d, e = sizes
    q, k, v = normal(b, t, d, seed=1), normal(b, s, d, seed=2), normal(b, s, e, seed=3)
    mask = random_mask(t, s) if masked else None
    outputs, weights = scaled_dot_product(q, k, v, mask)
    theirs = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    proof(scaled_dot_product, "torch scaled_dot_product_attention").close(outputs, theirs, within=TOLERANCE)
    torch.testing.assert_close(weights.sum(-1), torch.ones(b, t, dtype=torch.float64), rtol=0, atol=1e-14)
    torch.testing.assert_close(weights @ v, outputs, rtol=0, atol=0)


@pytest.mark.parametrize(
    "shape", [(4, 6), (1, 6), (4, 1), (1, 1), (3, 4, 6), (1, 4, 6), (2, 1, 4, 6), (2, 3, 4, 6), (2, 1, 1, 6)], ids=str
)
def test_masks_broadcast_as_in_torch(shape, normal, proof) -> None:
    q, k, v = normal(2, 3, 4, 5), normal(2, 3, 6, 5, seed=1), normal(2, 3, 6, 7, seed=2)
    mask = random_mask(*shape)
    theirs = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(2, 3, 4, 6))
    ours, _ = scaled_dot_product(q, k, v, mask)
    proof(scaled_dot_product, "torch scaled_dot_product_attention").close(ours, theirs, within=TOLERANCE)


def test_causal_over_a_long_text(normal, proof) -> None:
    q, k, v = (normal(2, 300, 4, seed=seed) for seed in range(3))
    ours, _ = scaled_dot_product(q, k, v, causal_mask(300))
    theirs = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    proof(scaled_dot_product, "torch scaled_dot_product_attention").close(ours, theirs, within=TOLERANCE)


def test_padding_changes_nothing(normal) -> None:
    q, k, v = normal(2, 3, 4), normal(2, 5, 4, seed=1), normal(2, 5, 2, seed=2)
    padded, _ = scaled_dot_product(q, k, v, padding_mask(torch.tensor([5, 2]), 5)[:, None, :])
    short, _ = scaled_dot_product(q[1:], k[1:, :2], v[1:, :2])
    torch.testing.assert_close(padded[1:], short, rtol=0, atol=1e-15)


def test_no_batch_at_all(normal) -> None:
    q, k, v = normal(3, 4), normal(5, 4, seed=1), normal(5, 2, seed=2)
    torch.testing.assert_close(scaled_dot_product(q, k, v)[0], scaled_dot_product(q[None], k[None], v[None])[0][0])


def test_who_may_look_nowhere_gets_zeros(normal) -> None:
    mask = torch.tensor([[False, False], [True, False]])
    outputs, weights = scaled_dot_product(normal(1, 2, 3), normal(1, 2, 3), normal(1, 2, 2), mask)
    assert outputs[0, 0].tolist() == [0.0, 0.0]
    assert weights[0].tolist() == [[0.0, 0.0], [1.0, 0.0]]
    outputs, weights = scaled_dot_product(normal(1, 2, 3), normal(1, 0, 3), normal(1, 0, 2))
    assert weights.shape == (1, 2, 0)
    assert outputs.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


@pytest.mark.parametrize(("second", "expected"), [(1e300, 3.0), (-1e300, 2.0), (math.nextafter(1e300, 0), 2.0)])
def test_extreme_scores_have_exact_outputs(second: float, expected: float) -> None:
    """A tie shares; the least distance between floats of this size is enough to win throughout."""
    q = torch.tensor([[1.0]], dtype=torch.float64)
    k, v = (torch.tensor([[one], [two]], dtype=torch.float64) for one, two in ((1e300, second), (2.0, 4.0)))
    assert scaled_dot_product(q, k, v)[0].item() == expected


def test_scaled_dot_product_refuses_what_has_no_value(normal) -> None:
    with pytest.raises(ValueError, match="width d of 1 or more"):
        scaled_dot_product(normal(1, 2, 0), normal(1, 2, 0), normal(1, 2, 1))
    with pytest.raises(ValueError, match="finite scores, got inf"):
        scaled_dot_product(normal(1, 1, 1).abs() * 1e200, normal(1, 1, 1).abs() * 1e200, normal(1, 1, 1))
    with pytest.raises(ValueError, match="finite scores, got nan"):
        scaled_dot_product(normal(1, 1, 1) * math.nan, normal(1, 1, 1), normal(1, 1, 1))
    for bad in (math.nan, math.inf, -math.inf):  # 0 · inf would be NaN: also where it is masked
        with pytest.raises(ValueError, match=f"v: expected finite values, got {bad}"):
            scaled_dot_product(normal(2, 1), normal(1, 1), normal(1, 1) * 0 + bad, torch.zeros(2, 1, dtype=torch.bool))


@pytest.mark.parametrize("shape", [(4, 2), (2, 3), (4,), (3, 2, 4), (1, 1, 2, 4)], ids=str)
def test_masks_that_do_not_fit_are_refused(shape, normal) -> None:
    with pytest.raises(TypeError, match="mask"):
        scaled_dot_product(normal(2, 2, 3), normal(2, 4, 3), normal(2, 4, 3), torch.ones(shape, dtype=torch.bool))


def test_gradients_equal_finite_differences(normal) -> None:
    mask = torch.tensor([[True, False, True], [False, False, False]])  # the second query looks nowhere
    q, k, v = (normal(*shape, seed=i).requires_grad_() for i, shape in enumerate([(1, 2, 2), (1, 3, 2), (1, 3, 2)]))
    assert torch.autograd.gradcheck(lambda q, k, v: scaled_dot_product(q, k, v, mask), (q, k, v))


def test_arguments_are_left_alone_and_any_strides_will_do(normal) -> None:
    q, k, v = normal(2, 3, 4).mT, normal(2, 3, 5).mT, normal(2, 10, 4)[:, ::2]
    copies = [value.clone() for value in (q, k, v)]
    strided, _ = scaled_dot_product(q, k, v)
    contiguous, _ = scaled_dot_product(*(value.contiguous() for value in copies))
    torch.testing.assert_close(strided, contiguous, rtol=TOLERANCE, atol=TOLERANCE)
    assert all(torch.equal(value, copy) for value, copy in zip((q, k, v), copies, strict=True))


@pytest.mark.gpu
def test_a_gpu_gives_the_same(normal) -> None:
    q, k, v = (normal(2, 5, 4, seed=seed) for seed in range(3))
    there, _ = scaled_dot_product(q.cuda(), k.cuda(), v.cuda(), causal_mask(5, device="cuda"))
    torch.testing.assert_close(there.cpu(), scaled_dot_product(q, k, v, causal_mask(5))[0], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("attention", [scaled_dot_product, tiled_attention])
def test_a_product_may_overflow_where_its_score_does_not(attention) -> None:
    """q kᵀ is 2e308 and 1.9e308, the scores 1e308 and 9.5e307."""
    q = torch.full((1, 4), 1e154, dtype=torch.float64)
    k = torch.tensor([[5e153] * 4, [4.75e153] * 4], dtype=torch.float64)
    v = torch.tensor([[2.0], [4.0]], dtype=torch.float64)
    assert attention(q, k, v)[0].item() == 2.0
