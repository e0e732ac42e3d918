"""Grouped-query attention against torch's, against one head at a time, and its two ends: multi-query and multi-head."""

import pytest
import torch
from torch.nn import functional

from reference.attention import causal_mask, grouped_query, scaled_dot_product

TOLERANCE = 1e-13  # as for the scaled dot product


@pytest.mark.parametrize(("heads", "groups"), [(6, 1), (6, 2), (6, 3), (6, 6), (1, 1), (4, 2)])
@pytest.mark.parametrize("length", [0, 1, 5])
@pytest.mark.parametrize("causal", [False, True])
def test_grouped_query_equals_torch(heads, groups, length, causal, normal, proof) -> None:
    q, k, v = normal(2, heads, length, 4), normal(2, groups, length, 4, seed=1), normal(2, groups, length, 3, seed=2)
    mask = causal_mask(length) if causal else None
    outputs, weights = grouped_query(q, k, v, mask)
    theirs = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    proof(grouped_query, "torch scaled_dot_product_attention, enable_gqa").close(outputs, theirs, within=TOLERANCE)
    assert weights.shape == (2, heads, length, length)


def test_each_head_is_a_scaled_dot_product_with_its_group(normal, proof) -> None:
    q, k, v = normal(2, 6, 3, 4), normal(2, 2, 5, 4, seed=1), normal(2, 2, 5, 7, seed=2)
    mask = torch.rand((2, 6, 3, 5), generator=torch.Generator().manual_seed(3)) < 0.5
    mask[0, 0, 0] = False
    outputs, weights = grouped_query(q, k, v, mask)
    for h in range(6):
        expected = scaled_dot_product(q[:, h], k[:, h // 3], v[:, h // 3], mask[:, h])
        proof(grouped_query, "brute force").close(outputs[:, h], expected[0], within=1e-15)
        proof(grouped_query, "brute force").close(weights[:, h], expected[1], within=1e-15)


def test_what_is_empty_or_without_batch(normal) -> None:
    assert grouped_query(normal(4, 0, 3), normal(2, 5, 3), normal(2, 5, 3))[0].shape == (4, 0, 3)
    assert not grouped_query(normal(4, 2, 3), normal(2, 0, 3), normal(2, 0, 3))[0].any()
    assert grouped_query(normal(0, 2, 3), normal(2, 5, 3), normal(2, 5, 3))[0].shape == (0, 2, 3)


@pytest.mark.parametrize(("heads", "groups"), [(4, 3), (2, 4), (4, 0), (0, 0)])
def test_groups_must_divide_the_heads(heads, groups, normal) -> None:
    with pytest.raises(ValueError, match=f"divides H = {heads}, got {groups}"):
        grouped_query(normal(heads, 2, 3), normal(groups, 2, 3), normal(groups, 2, 3))


def test_what_does_not_fit_is_refused(normal) -> None:
    q, k, v = normal(2, 4, 3, 2), normal(2, 2, 5, 2), normal(2, 2, 5, 2)
    for shape in [(5, 3), (2, 3, 5), (3, 1, 3, 5)]:
        with pytest.raises(TypeError, match="mask"):
            grouped_query(q, k, v, torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ValueError, match="width d of 1 or more"):
        grouped_query(q[..., :0], k[..., :0], v)
    with pytest.raises(ValueError, match="v: expected finite values"):
        grouped_query(q, k, v * torch.nan)


def test_gradients_equal_finite_differences(normal) -> None:
    inputs = [normal(4, 3, 2), normal(2, 3, 2, seed=1), normal(2, 3, 2, seed=2)]
    assert torch.autograd.gradcheck(
        lambda q, k, v: grouped_query(q, k, v, causal_mask(3)), [one.requires_grad_() for one in inputs]
    )
