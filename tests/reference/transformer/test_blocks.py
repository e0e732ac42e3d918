"""Attention layers, feed-forward layers and blocks against torch's, and their rules at the edges."""

import pytest
import torch
from torch import nn
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRotaryEmbedding

from reference.attention import KVCache, causal_mask, padding_mask
from reference.transformer import (
    Attention,
    CrossBlock,
    FeedForward,
    GatedFeedForward,
    LayerNorm,
    PostNormBlock,
    PreNormBlock,
    RMSNorm,
    gelu,
)

# some ten sums of ten terms of size 1 to 10
TOLERANCE = 1e-12


def shuffled(module, generator):
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0.0, 0.5, generator=generator)
    return module


def give_attention(ours, theirs):
    """To torch.nn.MultiheadAttention, which keeps q, k and v in one matrix."""
    projections = [ours.q_proj, ours.k_proj, ours.v_proj]
    theirs.in_proj_weight.data = torch.cat([one.weight for one in projections])
    theirs.in_proj_bias.data = torch.cat([one.bias for one in projections])
    theirs.out_proj.load_state_dict(ours.o_proj.state_dict())


def masks():
    return {
        "everywhere": None,
        "causal": causal_mask(5)[None],
        "padded": padding_mask(torch.tensor([5, 1, 3]), 5)[:, None],
        "both": causal_mask(5)[None] & padding_mask(torch.tensor([5, 1, 3]), 5)[:, None],
    }


@pytest.mark.parametrize("mask", ["everywhere", "causal", "padded", "both"])
@pytest.mark.parametrize("n_heads", [1, 2, 6])
def test_attention(normal, generator, proof, n_heads, mask):
    ours, x, visible = shuffled(Attention(6, n_heads, generator=generator), generator), normal(3, 5, 6), masks()[mask]
    theirs = nn.MultiheadAttention(6, n_heads, batch_first=True, dtype=torch.float64)
    give_attention(ours, theirs)
    hidden = None if visible is None else ~visible.expand(3, 5, 5).repeat_interleave(n_heads, dim=0)
    expected, _ = theirs(x, x, x, attn_mask=hidden)
    proof(Attention, "torch.nn.MultiheadAttention").close(ours(x, mask=visible), expected, within=TOLERANCE)


def test_cross_attention(normal, generator, proof):
    ours, x, memory = shuffled(Attention(6, 2, generator=generator), generator), normal(3, 5, 6), normal(3, 4, 6)
    theirs = nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    give_attention(ours, theirs)
    real = padding_mask(torch.tensor([4, 1, 2]), 4)
    expected, _ = theirs(x, memory, memory, key_padding_mask=~real)
    proof(Attention, "torch.nn.MultiheadAttention, cross").close(
        ours(x, memory, mask=real[:, None]), expected, within=TOLERANCE
    )


@pytest.mark.parametrize("n_groups", [1, 2, 4])
def test_grouped_rotary_attention(normal, generator, proof, n_groups):
    ours = shuffled(Attention(16, 4, n_groups=n_groups, bias=False, rotary_base=100, generator=generator), generator)
    config = LlamaConfig(
        hidden_size=16,
        num_attention_heads=4,
        num_key_value_heads=n_groups,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0},
        attn_implementation="eager",
    )
    with torch.random.fork_rng():
        theirs = LlamaAttention(config, layer_idx=0).double()
    theirs.load_state_dict(ours.state_dict())
    x, mask = normal(3, 5, 16), causal_mask(5)[None]
    angles = LlamaRotaryEmbedding(config)(x, torch.arange(5)[None])
    additive = torch.zeros(1, 1, 5, 5, dtype=torch.float64).masked_fill(~mask, -torch.inf)
    expected, _ = theirs(x, position_embeddings=angles, attention_mask=additive)
    proof(Attention, "transformers LlamaAttention").close(ours(x, mask=mask), expected, within=TOLERANCE)


@pytest.mark.parametrize("rotary_base", [None, 100.0])
def test_cached_attention_equals_uncached(normal, generator, proof, rotary_base):
    attention = shuffled(Attention(8, 2, n_groups=1, rotary_base=rotary_base, generator=generator), generator)
    x, mask, cache = normal(3, 5, 8), causal_mask(5)[None], KVCache()
    parts = [attention(x[:, i : i + 1], mask=mask[:, i : i + 1, : i + 1], cache=cache) for i in range(5)]
    proof(Attention, "itself without a cache").close(torch.cat(parts, dim=1), attention(x, mask=mask), within=1e-14)


def test_whoever_may_look_nowhere_gets_the_bias(normal, generator):
    attention, mask = Attention(6, 2, generator=generator), torch.zeros(1, 1, 3, dtype=torch.bool)
    attention.o_proj.bias.data = normal(6)
    assert torch.equal(attention(normal(2, 3, 6), mask=mask), attention.o_proj.bias.expand(2, 3, 6))


@pytest.mark.parametrize("shape", [(0, 3, 6), (2, 0, 6)])
def test_attention_to_nothing(generator, shape):
    assert Attention(6, 2, generator=generator)(torch.zeros(shape, dtype=torch.float64)).shape == shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_heads": 4}, "n_heads: expected a divisor of width = 6, got 4"),
        ({"n_heads": 0}, "n_heads: expected a divisor of width = 6, got 0"),
        ({"n_heads": 3, "n_groups": 2}, "n_groups: expected a divisor of n_heads = 3, got 2"),
        ({"n_heads": 2, "rotary_base": 10.0}, "width / n_heads: expected an even number for rotary positions, got 3"),
    ],
)
def test_attention_that_cannot_be_is_refused(generator, arguments, message):
    with pytest.raises(ValueError, match=message):
        Attention(6, **arguments, generator=generator)


def test_a_memory_has_no_cache_and_no_rotation(normal, generator):
    with pytest.raises(ValueError, match="memory: expected no cache"):
        Attention(6, 3, generator=generator)(normal(1, 2, 6), normal(1, 2, 6), cache=KVCache())
    with pytest.raises(ValueError, match="memory: expected no cache"):
        Attention(6, 3, rotary_base=10.0, generator=generator)(normal(1, 2, 6), normal(1, 2, 6))


def test_other_shapes_are_refused(normal, generator):
    attention = Attention(6, 3, generator=generator)
    with pytest.raises(TypeError):
        attention(normal(1, 2, 5))
    with pytest.raises(TypeError):
        attention(normal(1, 2, 6), mask=causal_mask(2))
    with pytest.raises(TypeError):
        attention(normal(1, 2, 6), mask=causal_mask(3)[None, :2])
    with pytest.raises(TypeError):
        FeedForward(6, 8, activation=gelu, generator=generator)(normal(2, 5))
    with pytest.raises(TypeError):
        GatedFeedForward(6, 8, generator=generator)(normal(2, 5))


def test_gated_feed_forward(normal, generator, proof):
    ours = shuffled(GatedFeedForward(6, 9, generator=generator), generator)
    with torch.random.fork_rng():
        theirs = LlamaMLP(LlamaConfig(hidden_size=6, intermediate_size=9, num_attention_heads=1)).double()
    theirs.load_state_dict(ours.state_dict())
    for x in (normal(2, 3, 6), normal(6), normal(0, 6)):
        proof(GatedFeedForward, "transformers LlamaMLP").close(ours(x), theirs(x), within=TOLERANCE)


def test_feed_forward(normal, generator, proof):
    ours = shuffled(FeedForward(6, 9, activation=gelu, generator=generator), generator)
    theirs = nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 6)).double()
    theirs[0].load_state_dict(ours.up_proj.state_dict())
    theirs[2].load_state_dict(ours.down_proj.state_dict())
    for x in (normal(2, 3, 6), normal(6), normal(0, 6)):
        proof(FeedForward, "torch.nn.Sequential").close(ours(x), theirs(x), within=TOLERANCE)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (4, -1)])
def test_layers_without_width_are_refused(generator, sizes):
    with pytest.raises(ValueError, match="width: expected 1 or more"):
        FeedForward(*sizes, activation=gelu, generator=generator)
    with pytest.raises(ValueError, match="width: expected 1 or more"):
        GatedFeedForward(*sizes, generator=generator)


@pytest.mark.parametrize("mask", ["everywhere", "causal", "padded", "both"])
@pytest.mark.parametrize(("kind", "activation"), [(PreNormBlock, gelu), (PostNormBlock, torch.relu)])
def test_blocks(normal, generator, proof, kind, activation, mask):
    attention = Attention(6, 2, generator=generator)
    feed_forward = FeedForward(6, 9, activation=activation, generator=generator)
    ours = shuffled(kind(attention, feed_forward, LayerNorm(6), LayerNorm(6)), generator)
    theirs = nn.TransformerEncoderLayer(
        6,
        2,
        dim_feedforward=9,
        dropout=0.0,
        activation=nn.functional.gelu if activation is gelu else "relu",
        norm_first=kind is PreNormBlock,
        batch_first=True,
        dtype=torch.float64,
    )
    give_attention(ours.attention, theirs.self_attn)
    give_feed_forward(ours.feed_forward, theirs)
    theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
    theirs.norm2.load_state_dict(ours.feed_forward_norm.state_dict())
    x, visible = normal(3, 5, 6), masks()[mask]
    hidden = None if visible is None else ~visible.expand(3, 5, 5).repeat_interleave(2, dim=0)
    against = f"torch.nn.TransformerEncoderLayer, norm_first={kind is PreNormBlock}"
    proof(kind, against).close(ours(x, mask=visible), theirs(x, src_mask=hidden), within=TOLERANCE)


def give_feed_forward(ours, theirs):
    theirs.linear1.load_state_dict(ours.up_proj.state_dict())
    theirs.linear2.load_state_dict(ours.down_proj.state_dict())


@pytest.mark.parametrize("n_source", [1, 4])
def test_cross_block(normal, generator, proof, n_source):
    halves = [Attention(6, 2, generator=generator) for _ in range(2)]
    feed_forward = FeedForward(6, 9, activation=torch.relu, generator=generator)
    ours = shuffled(CrossBlock(*halves, feed_forward, norms=tuple(LayerNorm(6) for _ in range(3))), generator)
    theirs = nn.TransformerDecoderLayer(6, 2, dim_feedforward=9, dropout=0.0, batch_first=True, dtype=torch.float64)
    give_attention(ours.attention, theirs.self_attn)
    give_attention(ours.cross_attention, theirs.multihead_attn)
    give_feed_forward(ours.feed_forward, theirs)
    for norm, kept in (
        (theirs.norm1, ours.attention_norm),
        (theirs.norm2, ours.cross_attention_norm),
        (theirs.norm3, ours.feed_forward_norm),
    ):
        norm.load_state_dict(kept.state_dict())
    x, memory = normal(3, 5, 6), normal(3, n_source, 6)
    mask, real = causal_mask(5)[None], padding_mask(torch.tensor([n_source, 1, 1]), n_source)
    proof(CrossBlock, "torch.nn.TransformerDecoderLayer").close(
        ours(x, memory, mask=mask, memory_mask=real[:, None]),
        theirs(x, memory, tgt_mask=~mask[0], memory_key_padding_mask=~real),
        within=TOLERANCE,
    )


def test_pre_norm_blocks_take_any_parts(normal, generator, proof):
    """A block is x + f(norm(x)) twice, whatever f and norm are: by hand, with RMSNorm and a gate."""
    attention = Attention(4, 2, rotary_base=10.0, bias=False, generator=generator)
    feed_forward = GatedFeedForward(4, 6, generator=generator)
    block = shuffled(PreNormBlock(attention, feed_forward, RMSNorm(4), RMSNorm(4)), generator)
    x = normal(2, 3, 4)
    h = x + attention(block.attention_norm(x))
    by_hand = h + feed_forward(block.feed_forward_norm(h))
    proof(PreNormBlock, "its formula").close(block(x), by_hand, within=0.0)


def test_parts_that_are_no_modules_are_refused():
    with pytest.raises(TypeError):
        PreNormBlock(gelu, gelu, LayerNorm(2), LayerNorm(2))
