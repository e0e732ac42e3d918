"""The key-value cache against that of transformers, and cached decoding against attention over the whole text."""

import pytest
import torch
from transformers import DynamicCache

from reference.attention import KVCache, cached_multi_head, causal_mask, grouped_query, multi_head, multi_head_step


@pytest.mark.parametrize("steps", [[1, 1, 1], [3, 1], [0, 2, 0, 1], [5]], ids=str)
def test_the_cache_holds_what_transformers_holds(steps, normal, proof) -> None:
    ours, theirs = KVCache(), DynamicCache()
    assert ours.length == 0
    for number, length in enumerate(steps):
        new = normal(2, 3, length, 4, seed=number), normal(2, 3, length, 4, seed=100 + number)
        held, expected = ours.append(*new), theirs.update(*new, layer_idx=0)
        for one, other in zip(held, expected, strict=True):
            proof(KVCache, "transformers DynamicCache").close(one, other, within=0.0)
        assert ours.length == theirs.get_seq_length() == sum(steps[: number + 1])


def test_what_was_handed_out_stays_as_it_was(normal) -> None:
    cache, first = KVCache(), normal(1, 1, 2, 3)
    keys, values = cache.append(first, first)
    cache.append(normal(1, 1, 1, 3, seed=1), normal(1, 1, 1, 3, seed=2))
    assert torch.equal(keys, first)
    assert torch.equal(values, first)


def test_caches_do_not_share(normal) -> None:
    one, other = KVCache(), KVCache()
    one.append(normal(1, 1, 2, 3), normal(1, 1, 2, 3))
    assert (one.length, other.length) == (2, 0)


@pytest.mark.parametrize("shape", [(2, 1, 1, 3), (1, 2, 1, 3), (1, 1, 1, 4)], ids=str)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(shape, normal) -> None:
    fits, wrong = normal(1, 1, 2, 3), normal(*shape)
    cache = KVCache()
    cache.append(fits, fits)
    with pytest.raises(ValueError, match=r"k: expected shape \(1, 1, 1, 3\) as held"):
        cache.append(wrong, wrong)
    if shape[-1] != 3:
        with pytest.raises(ValueError, match=r"v: expected shape \(1, 1, 1, 3\) as held, got \(1, 1, 1, 4\)"):
            cache.append(normal(1, 1, 1, 3), wrong)
    with pytest.raises(TypeError):
        cache.append(normal(1, 1, 1, 3), normal(1, 1, 2, 3))
    assert cache.length == 2


@pytest.mark.parametrize("steps", [[1] * 6, [6], [4, 1, 1], [2, 3, 1], [0, 1, 0, 5]], ids=str)
@pytest.mark.parametrize("n_heads", [1, 2])
def test_cached_decoding_equals_uncached(steps, n_heads, normal, proof) -> None:
    x, weights, cache = normal(2, 6, 4), [normal(4, 4, seed=seed) for seed in range(1, 5)], KVCache()
    decoded = [multi_head_step(step, *weights, n_heads, cache) for step in x.split(steps, dim=1)]
    whole = multi_head(x, *weights, n_heads, causal=True)
    proof(multi_head_step, "reference.attention.multi_head, uncached").close(torch.cat(decoded, 1), whole, within=1e-13)
    assert cache.length == 6


def test_cached_decoding_equals_torch_nn(normal, proof) -> None:
    x, weights, cache = normal(2, 5, 4), [normal(4, 4, seed=seed) for seed in range(1, 5)], KVCache()
    layer = torch.nn.MultiheadAttention(4, 2, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([w.T for w in weights[:3]]))
        layer.out_proj.weight.copy_(weights[3].T)
    hidden = ~torch.ones(5, 5, dtype=torch.bool).tril()
    expected, _ = layer(x, x, x, attn_mask=hidden, need_weights=False)
    decoded = [multi_head_step(x[:, i : i + 1], *weights, 2, cache) for i in range(5)]
    proof(multi_head_step, "torch.nn.MultiheadAttention").close(torch.cat(decoded, 1), expected, within=1e-13)


@pytest.mark.parametrize("steps", [[1] * 6, [6], [4, 1, 1], [0, 1, 0, 5]], ids=str)
@pytest.mark.parametrize("n_heads", [1, 2])
def test_a_cache_that_is_a_value_does_the_same(steps, n_heads, normal, proof) -> None:
    x, weights = normal(2, 6, 4), [normal(4, 4, seed=seed) for seed in range(1, 5)]
    decoded, cache = [], None
    for step in x.split(steps, dim=1):
        outputs, cache = cached_multi_head(step, *weights, n_heads, cache)
        decoded.append(outputs)
    whole = multi_head(x, *weights, n_heads, causal=True)
    authority = "reference.attention.multi_head, uncached"
    proof(cached_multi_head, authority).close(torch.cat(decoded, 1), whole, within=1e-13)
    for held, w in zip(cache, weights[1:3], strict=True):
        torch.testing.assert_close(held, x @ w, rtol=1e-13, atol=1e-13)


def test_a_cache_that_is_a_value_decodes_as_torch_nn(normal, proof) -> None:
    x, weights = normal(2, 5, 4), [normal(4, 4, seed=seed) for seed in range(1, 5)]
    layer = torch.nn.MultiheadAttention(4, 2, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([w.T for w in weights[:3]]))
        layer.out_proj.weight.copy_(weights[3].T)
    hidden = ~torch.ones(5, 5, dtype=torch.bool).tril()
    expected, _ = layer(x, x, x, attn_mask=hidden, need_weights=False)
    start, cache = cached_multi_head(x[:, :3], *weights, 2)
    rest, _ = cached_multi_head(x[:, 3:], *weights, 2, cache)
    proof(cached_multi_head, "torch.nn.MultiheadAttention").close(torch.cat([start, rest], 1), expected, within=1e-13)


def test_a_cache_that_is_a_value_stays_as_it_was(normal) -> None:
    weights = [normal(4, 4, seed=seed) for seed in range(1, 5)]
    held = normal(1, 2, 4, seed=5), normal(1, 2, 4, seed=6)
    before = [part.clone() for part in held]
    _, (keys, values) = cached_multi_head(normal(1, 1, 4), *weights, 2, held)
    keys.zero_()
    values.zero_()
    for part, expected in zip(held, before, strict=True):
        assert torch.equal(part, expected)
    with pytest.raises(ValueError, match="divisor of D = 4, got 3"):
        cached_multi_head(normal(1, 1, 4), *weights, 3, held)


def test_grouped_queries_decode_from_a_cache_of_groups(normal) -> None:
    q, k, v, cache = normal(1, 4, 5, 2), normal(1, 2, 5, 2, seed=1), normal(1, 2, 5, 2, seed=2), KVCache()
    whole, _ = grouped_query(q, k, v, causal_mask(5))
    for i in range(5):
        keys, values = cache.append(k[:, :, i : i + 1], v[:, :, i : i + 1])
        outputs, _ = grouped_query(q[:, :, i : i + 1], keys, values)
        torch.testing.assert_close(outputs[:, :, 0], whole[:, :, i], rtol=0, atol=1e-15)


def test_gradients_flow_to_every_step(normal) -> None:
    def decode(x: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        cache = KVCache()
        return torch.cat([multi_head_step(step, *weights, 2, cache) for step in x.split([1, 2], dim=1)], dim=1)

    inputs = [normal(1, 3, 4), *(normal(4, 4, seed=seed) for seed in range(1, 5))]
    assert torch.autograd.gradcheck(decode, [one.requires_grad_() for one in inputs])


def test_a_step_refuses_what_does_not_fit(normal) -> None:
    weights, cache = [normal(4, 4)] * 4, KVCache()
    with pytest.raises(ValueError, match="divisor of D = 4, got 3"):
        multi_head_step(normal(1, 1, 4), *weights, 3, cache)
    multi_head_step(normal(1, 1, 4), *weights, 2, cache)
    for x, n_heads in ((normal(2, 1, 4), 2), (normal(1, 1, 4), 4)):  # another batch, other heads
        with pytest.raises(ValueError, match="as held"):
            multi_head_step(x, *weights, n_heads, cache)
    assert cache.length == 1


@pytest.mark.gpu
def test_a_gpu_gives_the_same(normal) -> None:
    x, weights = normal(2, 5, 4), [normal(4, 4, seed=seed) for seed in range(1, 5)]
    cache, there = KVCache(), [w.cuda() for w in weights]
    decoded = [multi_head_step(step, *there, 2, cache) for step in x.cuda().split([3, 1, 1], dim=1)]
    torch.testing.assert_close(torch.cat(decoded, 1).cpu(), multi_head(x, *weights, 2, True), rtol=1e-12, atol=1e-12)


def test_nobody_else_can_change_what_is_held(normal) -> None:
    cache, first, second = KVCache(), normal(1, 1, 2, 3), normal(1, 1, 1, 3, seed=1)
    expected = torch.cat([first, second], dim=-2)
    given = first.clone()
    handed_out = [*cache.append(given, given)]
    given.zero_()
    assert torch.equal(handed_out[0], first)
    for tensor in handed_out:
        tensor.zero_()
    for tensor in cache.append(second, second):
        assert torch.equal(tensor, expected)
        tensor.zero_()
    assert torch.equal(cache.append(second[:, :, :0], second[:, :, :0])[0], expected)


def test_a_width_of_0_is_refused_before_anything_is_remembered(normal) -> None:
    cache = KVCache()
    with pytest.raises(ValueError, match="n_heads: expected a divisor of D = 0, which none is, got 2"):
        multi_head_step(normal(1, 2, 0), *[normal(0, 0)] * 4, 2, cache)
    assert cache.length == 0
