"""Multi-head self- and cross-attention against torch.nn.MultiheadAttention with the same weights."""

import pytest
import torch
from torch import Tensor

from reference.attention import cross_attention, multi_head, padding_mask

# outputs are of size about 20, sums of 6·6 products: 2^-53 · 36 · 3 projections ≈ 1e-14, with a margin
TOLERANCE = 1e-13


def torch_layer(w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int) -> torch.nn.MultiheadAttention:
    """torch keeps its matrices to be applied from the left; one of them where all widths are equal, else three."""
    width, memory_width = len(w_q), len(w_k)
    layer = torch.nn.MultiheadAttention(
        width, n_heads, bias=False, batch_first=True, dtype=torch.float64, kdim=memory_width, vdim=memory_width
    )
    with torch.no_grad():
        if width == memory_width:
            layer.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        else:
            for theirs, ours in zip(
                (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight), (w_q, w_k, w_v), strict=True
            ):
                theirs.copy_(ours.T)
        layer.out_proj.weight.copy_(w_o.T)
    return layer


@pytest.mark.parametrize("n_heads", [1, 2, 3, 6])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("length", [1, 5])
def test_multi_head_equals_torch_nn(n_heads, causal, length, normal, proof) -> None:
    x, weights = normal(2, length, 6), [normal(6, 6, seed=seed) for seed in range(1, 5)]
    hidden = ~torch.ones(length, length, dtype=torch.bool).tril() if causal else None  # torch: true is masked
    expected, _ = torch_layer(*weights, n_heads)(x, x, x, attn_mask=hidden, need_weights=False)
    ours = multi_head(x, *weights, n_heads, causal)
    proof(multi_head, "torch.nn.MultiheadAttention").close(ours, expected, within=TOLERANCE)


@pytest.mark.parametrize("n_heads", [1, 3])
@pytest.mark.parametrize("memory_width", [6, 4])
@pytest.mark.parametrize("lengths", [None, [5, 5], [5, 2], [1, 3]])
def test_cross_attention_equals_torch_nn(n_heads, memory_width, lengths, normal, proof) -> None:
    x, memory = normal(2, 3, 6), normal(2, 5, memory_width, seed=9)
    shapes = [(6, 6), (memory_width, 6), (memory_width, 6), (6, 6)]
    weights = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes, start=1)]
    real = None if lengths is None else padding_mask(torch.tensor(lengths), 5)
    expected, _ = torch_layer(*weights, n_heads)(x, memory, memory, key_padding_mask=None if real is None else ~real)
    ours = cross_attention(x, memory, *weights, n_heads, None if real is None else real[:, None, None, :])
    proof(cross_attention, "torch.nn.MultiheadAttention").close(ours, expected, within=TOLERANCE)


def test_self_attention_masks_padding_as_torch_nn_does(normal, proof) -> None:
    x, weights = normal(3, 4, 6), [normal(6, 6, seed=seed) for seed in range(1, 5)]
    real = padding_mask(torch.tensor([4, 1, 2]), 4)
    expected, _ = torch_layer(*weights, 2)(x, x, x, key_padding_mask=~real, need_weights=False)
    ours = cross_attention(x, x, *weights, 2, real[:, None, None, :])
    proof(cross_attention, "torch.nn.MultiheadAttention").close(ours, expected, within=TOLERANCE)


def test_masks_may_differ_by_position_and_by_head(normal, proof) -> None:
    x, memory, weights = normal(3, 3, 6), normal(3, 5, 6, seed=9), [normal(6, 6, seed=seed) for seed in range(1, 5)]
    mask = torch.rand((3, 2, 3, 5), generator=torch.Generator().manual_seed(1)) < 0.6
    mask[..., 0] = True
    layer = torch_layer(*weights, 2)
    for one, theirs in ((mask[0, 0], mask[0, 0]), (mask, mask.flatten(0, 1))):
        expected, _ = layer(x, memory, memory, attn_mask=~theirs)
        ours = cross_attention(x, memory, *weights, 2, one)
        proof(cross_attention, "torch.nn.MultiheadAttention").close(ours, expected, within=TOLERANCE)
    with pytest.raises(TypeError, match="mask"):
        cross_attention(x, memory, *weights, 2, mask[:, 0])  # would be taken for heads


def test_an_empty_or_hidden_memory_gives_zeros(normal) -> None:
    x, weights = normal(2, 3, 4), [normal(4, 4, seed=seed) for seed in range(1, 5)]
    assert not cross_attention(x, normal(2, 0, 4), *weights, 2).any()
    nowhere = padding_mask(torch.tensor([0, 5]), 5)[:, None, None, :]
    outputs = cross_attention(x, normal(2, 5, 4), *weights, 2, nowhere)
    assert not outputs[0].any()
    assert outputs[1].all()


def test_no_position_gives_an_empty_result(normal) -> None:
    weights = [normal(4, 4)] * 4
    assert multi_head(normal(2, 0, 4), *weights, 2, True).shape == (2, 0, 4)
    assert cross_attention(normal(2, 0, 4), normal(2, 3, 4), *weights, 2).shape == (2, 0, 4)


@pytest.mark.parametrize("n_heads", [0, -2, 3, 8])
def test_heads_must_divide_the_width(n_heads, normal) -> None:
    weights = [normal(4, 4)] * 4
    with pytest.raises(ValueError, match=f"divisor of D = 4, got {n_heads}"):
        multi_head(normal(1, 2, 4), *weights, n_heads)
    with pytest.raises(ValueError, match=f"divisor of D = 4, got {n_heads}"):
        cross_attention(normal(1, 2, 4), normal(1, 2, 4), *weights, n_heads)


def test_causal_outputs_do_not_move_when_the_future_does(normal) -> None:
    weights = [normal(6, 6, seed=seed) for seed in range(4)]
    x, other = normal(1, 5, 6), normal(1, 5, 6)
    other[:, 3:] = 9.0
    before, after = (multi_head(value, *weights, 3, True) for value in (x, other))
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_gradients_equal_finite_differences(normal) -> None:
    inputs = [normal(1, 3, 4).requires_grad_(), *(normal(4, 4, seed=seed).requires_grad_() for seed in range(1, 5))]
    assert torch.autograd.gradcheck(lambda *given: multi_head(*given, 2, True), inputs)
    memory = normal(1, 2, 4, seed=7).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, m, *given: cross_attention(x, m, *given, 2), (inputs[0], memory, *inputs[1:])
    )
