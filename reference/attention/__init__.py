"""Attention as in the transformer: softmax, masks, scaled dot product, heads of every kind, a cache, tiles.

Covers self- and cross-attention, grouped and multi-query heads, causal, sliding-window and padding masks, cached
decoding, and tiled attention with its backward pass, in float64, differentiable. Not covered: dropout, biases,
positions (see `reference.positional`), speed.

One letter per dimension, the same in every signature: B batch, T query positions, S key positions, D model width, M
width of a memory, H heads of queries, G heads of keys and values, d width of a query and of a key, e width of a value,
n any length.
"""

from reference.attention.cache import KVCache, cached_multi_head, multi_head_step
from reference.attention.dot_product import scaled_dot_product
from reference.attention.grouped import grouped_query
from reference.attention.masks import causal_mask, padding_mask, sliding_window_mask
from reference.attention.multi_head import cross_attention, multi_head
from reference.attention.tiled import tiled_attention
from reference.attention.weights import softmax

__all__ = [
    "KVCache",
    "cached_multi_head",
    "causal_mask",
    "cross_attention",
    "grouped_query",
    "multi_head",
    "multi_head_step",
    "padding_mask",
    "scaled_dot_product",
    "sliding_window_mask",
    "softmax",
    "tiled_attention",
]
