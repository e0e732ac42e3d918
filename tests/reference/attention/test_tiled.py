"""Tiled attention against the plain formula and torch: outputs, log-sum-exp, gradients, masks, edges, and memory."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from reference.attention import causal_mask, padding_mask, scaled_dot_product, sliding_window_mask, tiled_attention

# float64, outputs of about 1: each of at most 64 tiles rescales once, 64 · 2^-53 ≈ 1e-14, with a margin of ten
TOLERANCE = 1e-13
BLOCKS = [1, 2, 3, 5, 7, 8, 100]  # of 7 keys: single, not dividing, equal, larger


def inputs(normal: Any, *, t: int = 5, s: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values for 2 texts of 3 heads, ready for gradients."""
    shapes = [(2, 3, t, 4), (2, 3, s, 4), (2, 3, s, 2)]
    q, k, v = (normal(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes))
    return q, k, v


def table(t: int, s: int, *, causal: bool = False, window: int | None = None, lengths: Tensor | None = None) -> Tensor:
    """The mask that the same words mean, written out: (T, S), or (B, 1, T, S) for the lengths of B texts."""
    mask = (
        torch.tensor(
            [
                [(not causal or j <= i) and (window is None or (j <= i and i - j < window)) for j in range(s)]
                for i in range(s - t, s)
            ]
        )
        .bool()
        .reshape(t, s)
    )
    if lengths is None:
        return mask
    return mask & padding_mask(lengths.flatten(), s)[:, None, None, :]


def log_sum_exp(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -torch.inf).logsumexp(-1)


MASKS = [
    {},
    {"causal": True},
    {"window": 1},
    {"window": 3},
    {"window": 50},
    {"lengths": torch.tensor([[7], [2]])},
    {"lengths": torch.tensor([[0], [6]]), "causal": True},  # the first text is padding throughout
    {"lengths": torch.tensor([[5], [1]]), "window": 2, "causal": True},
]
masks = pytest.mark.parametrize("how", MASKS, ids=str)


@masks
@pytest.mark.parametrize("block_size", BLOCKS)
def test_outputs_log_sum_exp_and_gradients_equal_the_plain_formula(how, block_size, normal, proof) -> None:
    q, k, v = inputs(normal)
    mask = table(5, 7, **how)
    weights_of_loss = normal(2, 3, 5, 2, seed=8)
    outputs, ours = tiled_attention(q, k, v, block_size=block_size, **how)
    expected, _ = scaled_dot_product(q, k, v, mask)
    held = proof(tiled_attention, "reference.attention.scaled_dot_product and its autograd")
    held.close(outputs, expected, within=TOLERANCE)
    proof(tiled_attention, "torch.logsumexp").close(ours, log_sum_exp(q, k, mask), within=TOLERANCE)
    gradients, theirs = (torch.autograd.grad((x * weights_of_loss).sum(), (q, k, v)) for x in (outputs, expected))
    for one, other in zip(gradients, theirs, strict=True):
        held.close(one, other, within=TOLERANCE)


@masks
def test_torch_agrees_where_it_has_a_rule(how, normal, proof) -> None:
    q, k, v = inputs(normal)
    mask = table(5, 7, **how)
    seen = mask.any(-1).expand(2, 3, 5)  # torch has no rule for a row that is masked throughout
    outputs, _ = tiled_attention(q, k, v, block_size=3, **how)
    theirs = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    held = proof(tiled_attention, "torch scaled_dot_product_attention and its autograd")
    held.close(outputs[seen], theirs[seen], within=TOLERANCE)
    gradients, expected = (torch.autograd.grad(x[seen].square().sum(), (q, k, v)) for x in (outputs, theirs))
    for one, other in zip(gradients, expected, strict=True):
        held.close(one, other, within=TOLERANCE)


@pytest.mark.parametrize("how", MASKS[:-2], ids=str)
@pytest.mark.parametrize("block_size", [3, 8])
def test_gradients_equal_finite_differences(how, block_size, normal) -> None:
    q, k, v = (one.detach()[:, :1].requires_grad_() for one in inputs(normal, t=3))
    assert torch.autograd.gradcheck(lambda *qkv: tiled_attention(*qkv, block_size=block_size, **how), (q, k, v))


@pytest.mark.parametrize("how", MASKS[-2:], ids=str)
def test_gradients_equal_finite_differences_where_some_look_nowhere(how, normal) -> None:
    """Outputs only: a log-sum-exp of -inf has no finite differences."""
    q, k, v = (one.detach()[:, :1].requires_grad_() for one in inputs(normal))
    assert torch.autograd.gradcheck(lambda *qkv: tiled_attention(*qkv, block_size=2, **how)[0], (q, k, v))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.data())
def test_any_sizes_masks_and_scales_equal_the_plain_formula(data, normal) -> None:
    t, s, block_size = (data.draw(st.integers(least, 9)) for least in (0, 0, 1))
    how: dict[str, Any] = {"causal": data.draw(st.booleans()), "window": data.draw(st.none() | st.integers(1, 9))}
    scale = data.draw(st.sampled_from([1e-3, 1.0, 10.0]))
    lengths = data.draw(st.none() | st.lists(st.integers(0, s), min_size=2, max_size=2))
    if lengths is not None:
        how["lengths"] = torch.tensor(lengths)[:, None]
    q, k, v = inputs(normal, t=t, s=s)
    q, k = (scale * q).detach().requires_grad_(), (scale * k).detach().requires_grad_()
    outputs, ours = tiled_attention(q, k, v, block_size=block_size, **how)
    mask = table(t, s, **how)
    expected, _ = scaled_dot_product(q, k, v, mask)
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours, log_sum_exp(q, k, mask), rtol=1e-12, atol=1e-12)
    for one, other in zip(
        *(torch.autograd.grad(x.square().sum(), (q, k, v)) for x in (outputs, expected)), strict=True
    ):
        # a gradient adds up 9 terms that may each be as large as scale · |v|²
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_the_words_mean_the_masks_of_this_package(normal) -> None:
    q, k, v = inputs(normal, t=7)
    for how, mask in (({"causal": True}, causal_mask(7)), ({"window": 3}, sliding_window_mask(7, 3))):
        torch.testing.assert_close(
            tiled_attention(q, k, v, block_size=2, **how)[0], scaled_dot_product(q, k, v, mask)[0]
        )


def test_the_last_query_stands_at_the_last_key(normal) -> None:
    """New queries over cached keys see what they would see in the whole text."""
    q, k, v = inputs(normal, t=7)
    whole, _ = tiled_attention(q, k, v, causal=True, block_size=3)
    for new in (1, 2, 6):
        some, _ = tiled_attention(q[..., -new:, :], k, v, causal=True, block_size=3)
        torch.testing.assert_close(some, whole[..., -new:, :], rtol=0, atol=1e-15)


def test_long_texts(normal, proof) -> None:
    q, k, v = (normal(1, 600, 4, seed=seed).requires_grad_() for seed in range(3))
    outputs, _ = tiled_attention(q, k, v, causal=True)
    theirs = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    held = proof(tiled_attention, "torch scaled_dot_product_attention and its autograd")
    held.close(outputs, theirs, within=TOLERANCE)
    for one, other in zip(*(torch.autograd.grad(x.sum(), (q, k, v)) for x in (outputs, theirs)), strict=True):
        held.close(one, other, within=1e-12)  # a key's gradient adds up 600 terms


@pytest.mark.parametrize("block_size", [1, 2, 3])
@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1e300, 1e300, -1e300], 3.0),
        ([-1e300, 1e300, 1e300], 6.0),
        ([1e300, 0.0, -1e300], 2.0),
        ([-1e300, 0.0, 1e300], 8.0),
        ([1e308, -1e308, 1e308], 5.0),
        ([-1e300, -1e300, -1e300], 14 / 3),
    ],
)
def test_extreme_scores_are_as_exact_as_in_the_plain_formula(block_size, scores, expected) -> None:
    q, k = torch.ones(1, 1, dtype=torch.float64), torch.tensor(scores, dtype=torch.float64)[:, None]
    v = torch.tensor([[2.0], [4.0], [8.0]], dtype=torch.float64, requires_grad=True)
    outputs, largest = tiled_attention(q, k, v, block_size=block_size)
    plain, weights = scaled_dot_product(q, k, v)
    assert outputs.item() == pytest.approx(expected, rel=1e-15)
    assert largest.item() == max(scores)  # the logarithm of a count vanishes beside it
    torch.testing.assert_close(outputs, plain, rtol=1e-15, atol=0)
    (gradient,) = torch.autograd.grad(outputs, v)  # the weights: recomputed from peak and total, not from their sum
    torch.testing.assert_close(gradient, weights.detach().mT, rtol=1e-15, atol=0)


def test_values_near_the_largest_float_do_not_overflow() -> None:
    q, k = torch.zeros(1, 1, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
    v = torch.full((4, 1), 1e308, dtype=torch.float64)
    for block_size in (1, 3, 4):
        assert tiled_attention(q, k, v, block_size=block_size)[0].item() == pytest.approx(1e308, rel=1e-15)


def test_who_may_look_nowhere_gets_zeros_and_gives_no_gradient(normal) -> None:
    q, k, v = inputs(normal, t=9)  # with causal, the first two queries stand before the first key
    outputs, ours = tiled_attention(q, k, v, causal=True, block_size=2)
    assert not outputs[..., :2, :].any()
    assert (ours[..., :2] == -torch.inf).all()
    assert ours[..., 2:].isfinite().all()
    gradients = torch.autograd.grad(outputs[..., :2, :].sum(), (q, k, v))
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize(("t", "s"), [(0, 3), (3, 0), (0, 0), (1, 1)])
def test_nothing_to_ask_or_to_see(t, s, normal) -> None:
    q, k, v = inputs(normal, t=t, s=s)
    outputs, ours = tiled_attention(q, k, v, block_size=2)
    torch.testing.assert_close(outputs, scaled_dot_product(q, k, v)[0], rtol=0, atol=1e-15)
    assert ours.shape == (2, 3, t)
    outputs.sum().backward()
    assert [one.grad.shape for one in (q, k, v)] == [one.shape for one in (q, k, v)]


class Memory(TorchDispatchMode):
    """Notes the bytes of the largest tensor that any operation makes, and the most that were alive at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.largest, self.peak = 0, 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in torch.utils._pytree.tree_leaves(result):
            if isinstance(made, Tensor):
                storage = made.untyped_storage()
                self.largest = max(self.largest, storage.nbytes())
                self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._alive = {key: (held, size) for key, (held, size) in self._alive.items() if not held.expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


LENGTHS = [64, 128, 256, 512]


def measured(attention: Any, normal: Any) -> list[Memory]:
    """What `attention` takes, forward and backward, for texts of all `LENGTHS`, with vectors of 4 numbers."""
    found = []
    for length in LENGTHS:
        q, k, v = (normal(length, 4, seed=seed).requires_grad_() for seed in range(3))
        with Memory() as memory:
            attention(q, k, v)[0].sum().backward()
        found.append(memory)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"window": 20, "lengths": torch.tensor(50)}], ids=str)
def test_memory_is_flat_but_for_inputs_and_results(how, normal) -> None:
    """No tensor is larger than the inputs, and what is alive at a time grows by some bytes a position, however many."""
    memory = measured(lambda q, k, v: tiled_attention(q, k, v, block_size=16, **how), normal)
    assert [one.largest for one in memory] == [8 * 4 * n for n in LENGTHS]
    growth = [(more.peak - less.peak) / (n - m) for (less, m), (more, n) in pairwise(zip(memory, LENGTHS, strict=True))]
    assert max(growth) <= 8 * 12 * 4  # of float64, twelve vectors of 4: inputs, outputs, gradients, and a few numbers


def test_the_plain_formula_takes_the_square_of_the_length(normal) -> None:
    memory = measured(scaled_dot_product, normal)
    assert [one.largest for one in memory] == [8 * n * n for n in LENGTHS]
    assert all(one.peak >= 8 * n * n for one, n in zip(memory, LENGTHS, strict=True))


@pytest.mark.parametrize("block_size", [0, -1])
def test_blocks_hold_something(block_size, normal) -> None:
    with pytest.raises(ValueError, match=f"block_size: expected 1 or more, got {block_size}"):
        tiled_attention(*inputs(normal), block_size=block_size)


def test_what_has_no_value_is_refused(normal) -> None:
    q, k, v = (one.detach() for one in inputs(normal))
    with pytest.raises(ValueError, match="window: expected 1 or more, got 0"):
        tiled_attention(q, k, v, window=0)
    for wrong in (-1, 8):
        with pytest.raises(ValueError, match=f"lengths: expected 0 to 7, got {wrong}"):
            tiled_attention(q, k, v, lengths=torch.tensor([[3], [wrong]]))
    with pytest.raises(ValueError, match="width d of 1 or more"):
        tiled_attention(q[..., :0, :0], k[..., :0], v)
    with pytest.raises(ValueError, match="finite scores, got inf"):
        tiled_attention(q.abs() * 1e200, k.abs() * 1e200, v)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"v: expected finite values, got {bad}"):
            tiled_attention(q, k, v * 0 + bad if math.isnan(bad) else v.abs() + bad)
    with pytest.raises(TypeError, match="lengths"):
        tiled_attention(q, k, v, lengths=torch.tensor([1, 2]))  # for 2 texts of 3 heads: (2, 1)


def test_gradients_of_gradients_are_refused_rather_than_wrong(normal) -> None:
    q, k, v = inputs(normal)
    outputs, _ = tiled_attention(q, k, v)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), q, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.gpu
def test_a_gpu_gives_the_same(normal) -> None:
    here = inputs(normal)
    there = [one.detach().cuda().requires_grad_() for one in here]
    lengths = torch.tensor([[7], [2]])
    ours, _ = tiled_attention(*here, block_size=3, window=4, lengths=lengths)
    theirs, _ = tiled_attention(*there, block_size=3, window=4, lengths=lengths.cuda())
    torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-12, atol=1e-12)
    gradients, others = (torch.autograd.grad(x.square().sum(), qkv) for x, qkv in ((ours, here), (theirs, there)))
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other.cpu(), one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("window", [2**63 - 1, 2**63, 10**30])
def test_a_window_of_any_size_may_be_asked_for(window, normal) -> None:
    q, k, v = inputs(normal)
    whole, _ = tiled_attention(q, k, v, causal=True, block_size=3)
    assert torch.equal(tiled_attention(q, k, v, window=window, block_size=3)[0], whole)
