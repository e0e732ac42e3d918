"""Attention as in the transformer: softmax, causal mask, scaled dot product, multiple heads.

Covers self-attention in float64, differentiable. Not covered: dropout, biases, key-value caches, grouped queries,
speed.

One letter per dimension, the same in every signature: B batch, T query positions, S key positions, D model width,
d width of a query and of a key, e width of a value, n any length.
"""

from reference.attention.dot_product import scaled_dot_product
from reference.attention.multi_head import multi_head
from reference.attention.weights import causal_mask, softmax

__all__ = ["causal_mask", "multi_head", "scaled_dot_product", "softmax"]
