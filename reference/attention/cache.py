"""Keys and values kept from step to step, so that a decoder computes each position's once.

Covers the cache, and one step of cached multi-head attention with a cache that is an object or a plain value. Not
covered: windows that forget, buffers made in advance, reordering (beam search).
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from reference.attention.dot_product import scaled_dot_product
from reference.attention.heads import join, require_divisor, split
from reference.attention.masks import causal_mask
from reference.checked import checked


class KVCache:
    """The keys and values of all positions so far, of one layer; empty at first.

    The first `append` fixes B, G, d, e and the device; later ones add positions. Nothing is ever changed in place:
    tensors handed out earlier stay as they were, and gradients flow to what was appended. What is held is a copy,
    and so is what is handed out.

    Source: Shazeer 2019 (arXiv:1911.02150), section 2.4 (incremental multi-head attention).

    >>> cache, step = KVCache(), torch.ones(1, 2, 1, 4, dtype=torch.float64)
    >>> _ = cache.append(step, step)
    >>> keys, values = cache.append(2 * step, 3 * step)
    >>> cache.length, keys.shape, values[0, 0, :, 0].tolist()
    (2, torch.Size([1, 2, 2, 4]), [1.0, 3.0])
    """

    def __init__(self) -> None:
        self._held: tuple[Tensor, Tensor] | None = None

    @property
    @checked
    def length(self) -> int:
        """How many positions are held."""
        return 0 if self._held is None else self._held[0].shape[-2]

    @checked
    def append(
        self, k: Float64[Tensor, "B G T d"], v: Float64[Tensor, "B G T e"]
    ) -> tuple[Float64[Tensor, "B G S d"], Float64[Tensor, "B G S e"]]:
        """Add the keys and values of T more positions; T may be 0.

        Args:
            k: keys, already rotated where positions are rotary.
            v: values, one for each key.
        Returns:
            All keys and all values so far, S = length.
        Raises:
            ValueError: B, G, d or e differ from what is held.

        Cost: O(B·G·S·(d + e)): everything is copied.

        >>> keys, values = KVCache().append(*torch.ones(2, 1, 1, 3, 2, dtype=torch.float64))
        >>> keys.shape
        torch.Size([1, 1, 3, 2])
        """
        held = self._held or (k[..., :0, :], v[..., :0, :])
        keys, values = (_extend(*pair) for pair in zip("kv", held, (k, v), strict=True))
        self._held = keys, values
        return keys.clone(), values.clone()  # what becomes of them does not reach the cache


def held_shapes(cache: KVCache) -> tuple[torch.Size, torch.Size] | None:
    """The shapes of all keys and of all values; None before the first `append`."""
    held = cache._held  # noqa: SLF001  # no other module reads it
    return None if held is None else (held[0].shape, held[1].shape)


def _extend(name: str, held: Float64[Tensor, "B G P w"], new: Float64[Tensor, "B G T w"]) -> Tensor:
    """Concatenate along positions, or say what does not fit."""
    (*batch, _, width), (*new_batch, n_new, new_width) = held.shape, new.shape
    if (batch, width) != (new_batch, new_width):
        raise ValueError(f"{name}: expected shape {(*batch, n_new, width)} as held, got {tuple(new.shape)}")
    return torch.cat([held, new], dim=-2)


@checked
def multi_head_step(
    x: Float64[Tensor, "B T D"],
    w_q: Float64[Tensor, "D D"],
    w_k: Float64[Tensor, "D D"],
    w_v: Float64[Tensor, "D D"],
    w_o: Float64[Tensor, "D D"],
    n_heads: int,
    cache: KVCache,
) -> Float64[Tensor, "B T D"]:
    """Attend from T new positions to themselves and all earlier ones, and remember their keys and values.

    The results of successive calls, concatenated, are `multi_head(…, causal=True)` of the concatenated `x`, however it
    is cut into steps: new position i stands at P + i after P cached ones and sees positions j <= P + i. T = 0: empty,
    and no position is remembered.

    Source: Shazeer 2019 (arXiv:1911.02150), section 2.4 (incremental multi-head attention).
    Departs from it: a step may bring several positions.

    Args:
        x: the new positions only, one vector of width D each.
        w_q: projects to queries, applied on the right.
        w_k: projects to keys, applied on the right.
        w_v: projects to values, applied on the right.
        w_o: projects the concatenated heads, applied on the right.
        n_heads: H, a divisor of D.
        cache: of this layer and batch; the new keys and values are appended to it.
    Raises:
        ValueError: D is 0, `n_heads` is below 1 or does not divide D, or `x` does not fit the cache: nothing is
            remembered. A score or a value is not finite: the cache holds it by then, and is of no more use.

    Cost: O(B·T·D·(D + S)) time for S positions in all, against O(B·S·D·(D + S)) without a cache.

    >>> identity, cache = torch.eye(2, dtype=torch.float64), KVCache()
    >>> weights = (identity, identity, identity, identity)
    >>> multi_head_step(torch.tensor([[[1.0, 0.0]]], dtype=torch.float64), *weights, 2, cache).tolist()
    [[[1.0, 0.0]]]
    >>> multi_head_step(torch.tensor([[[0.0, 0.0]]], dtype=torch.float64), *weights, 2, cache).tolist()
    [[[0.5, 0.0]]]
    """
    require_divisor(n_heads, x.shape[-1])
    queries, new_keys, new_values = (split(x @ w, n_heads) for w in (w_q, w_k, w_v))  # (B, H, T, D/H) each
    keys, values = cache.append(new_keys, new_values)  # (B, H, S, D/H) each
    mask = causal_mask(cache.length, device=x.device)[cache.length - x.shape[1] :]  # (T, S)
    heads, _ = scaled_dot_product(queries, keys, values, mask)
    return join(heads) @ w_o


@checked
def cached_multi_head(
    x: Float64[Tensor, "B T D"],
    w_q: Float64[Tensor, "D D"],
    w_k: Float64[Tensor, "D D"],
    w_v: Float64[Tensor, "D D"],
    w_o: Float64[Tensor, "D D"],
    n_heads: int,
    cache: tuple[Float64[Tensor, "B P D"], Float64[Tensor, "B P D"]] | None = None,
) -> tuple[Float64[Tensor, "B T D"], tuple[Float64[Tensor, "B S D"], Float64[Tensor, "B S D"]]]:
    """Do one `multi_head_step` with a cache that is a value: what it holds after the step is returned.

    The cache is the pair of all keys x w_k and all values x w_v so far, heads side by side as they come out of the
    products; None: nothing so far. S = P + T. The cache that is given stays as it was.

    Source: Shazeer 2019 (arXiv:1911.02150), section 2.4 (incremental multi-head attention).
    Departs from it: a step may bring several positions.

    Args:
        x: the new positions only, one vector of width D each.
        w_q: projects to queries, applied on the right.
        w_k: projects to keys, applied on the right.
        w_v: projects to values, applied on the right.
        w_o: projects the concatenated heads, applied on the right.
        n_heads: H, a divisor of D.
        cache: keys and values of the P positions before.
    Returns:
        The outputs of the new positions, and the cache with them.
    Raises:
        ValueError: D is 0, `n_heads` is below 1 or does not divide D, or a score or a value is not finite.

    Cost: O(B·T·D·(D + S)) time for S positions in all.

    >>> identity = torch.eye(2, dtype=torch.float64)
    >>> first, then = torch.tensor([[[[1.0, 0.0]]], [[[0.0, 0.0]]]], dtype=torch.float64)
    >>> outputs, cache = cached_multi_head(first, identity, identity, identity, identity, 2)
    >>> outputs, (keys, values) = cached_multi_head(then, identity, identity, identity, identity, 2, cache)
    >>> outputs.tolist(), keys.tolist()
    ([[[0.5, 0.0]]], [[[1.0, 0.0], [0.0, 0.0]]])
    """
    require_divisor(n_heads, x.shape[-1])
    keys, values = x @ w_k, x @ w_v  # (B, T, D) each
    if cache is not None:
        keys, values = torch.cat([cache[0], keys], dim=1), torch.cat([cache[1], values], dim=1)  # (B, S, D) each
    length = keys.shape[1]
    mask = causal_mask(length, device=x.device)[length - x.shape[1] :]  # (T, S)
    q, k, v = (split(part, n_heads) for part in (x @ w_q, keys, values))  # (B, H, T or S, D/H)
    heads, _ = scaled_dot_product(q, k, v, mask)
    return join(heads) @ w_o, (keys, values)
