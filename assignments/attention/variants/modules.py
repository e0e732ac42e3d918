# %% [markdown]
# # Attention: from the dot product to tiles
#
# Layers as one writes them for a real model: `nn.Module`, `nn.Linear` without bias, buffers. The matrices that come in
# become parameters, so results carry their gradients.

# %%
import math

import torch
from torch import nn

inf = math.inf


# %%
class SafeSoftmax(nn.Module):
    def forward(self, scores):
        top = scores.max(dim=-1, keepdim=True).values.detach()
        powers = torch.where(scores == -inf, 0.0, torch.exp(scores - top))
        total = powers.sum(dim=-1, keepdim=True)
        return powers / (total + (total == 0))


softmax = SafeSoftmax()


# %%
class RelativeMask(nn.Module):
    """True where the distance i - j to a key that comes before lies in [0, reach)."""

    def __init__(self, reach):
        super().__init__()
        self.reach = reach

    def forward(self, n_queries, n_keys):
        # the last query stands at the last key
        i = torch.arange(n_keys - n_queries, n_keys).unsqueeze(-1)
        back = i - torch.arange(n_keys)
        return torch.ge(back, 0).logical_and(torch.lt(back, self.reach))


def causal_mask(n):
    return RelativeMask(reach=n + 1)(n, n)


def sliding_window_mask(n, window):
    return RelativeMask(reach=window)(n, n)


def padding_mask(lengths, n):
    positions = torch.arange(n).repeat(len(lengths), 1)
    return positions.lt(lengths[:, None])


# %%
class DotProductAttention(nn.Module):
    """Any number of dimensions before (T, d), (S, d), (S, e); True in the mask means allowed."""

    def __init__(self):
        super().__init__()
        self.softmax = SafeSoftmax()

    def forward(self, q, k, v, mask=None):
        scores = torch.einsum("...td,...sd->...ts", q, k).mul(1 / math.sqrt(q.size(-1)))
        if mask is not None:
            scores = scores.masked_fill(torch.logical_not(mask), -inf)
        weights = self.softmax(scores)
        return torch.einsum("...ts,...se->...te", weights, v), weights


def scaled_dot_product(q, k, v, mask=None):
    return DotProductAttention()(q, k, v, mask)


def grouped_query(q, k, v, mask=None):
    ratio = q.size(1) // k.size(1)
    # each head of keys `ratio` times, next to each other
    k, v = (rows.unsqueeze(2).expand(-1, -1, ratio, -1, -1).reshape(-1, q.size(1), *rows.shape[2:]) for rows in (k, v))
    return DotProductAttention()(q, k, v, mask)


# %%
def linear(w):
    layer = nn.Linear(*w.shape, bias=False, dtype=w.dtype)
    with torch.no_grad():
        layer.weight.copy_(w.T)
    return layer


class MultiHead(nn.Module):
    def __init__(self, w_q, w_k, w_v, w_o, n_heads):
        super().__init__()
        self.query, self.key, self.value, self.output = map(linear, (w_q, w_k, w_v, w_o))
        self.split = nn.Unflatten(2, (n_heads, w_o.size(0) // n_heads))
        self.join = nn.Flatten(2)
        self.attention = DotProductAttention()

    def mix(self, q, k, v, mask):
        q, k, v = (self.split(rows).transpose(1, 2) for rows in (q, k, v))
        mixed, _ = self.attention(q, k, v, mask)
        return self.output(self.join(mixed.transpose(1, 2)))

    def forward(self, x, memory, mask=None):
        return self.mix(self.query(x), self.key(memory), self.value(memory), mask)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    return MultiHead(w_q, w_k, w_v, w_o, n_heads)(x, x, causal_mask(x.size(1)) if causal else None)


def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return MultiHead(w_q, w_k, w_v, w_o, n_heads)(x, memory, mask)


# %%
class CachedMultiHead(MultiHead):
    """The same layer; what it has seen stays in two buffers."""

    def __init__(self, w_q, w_k, w_v, w_o, n_heads, cache):
        super().__init__(w_q, w_k, w_v, w_o, n_heads)
        for name, rows in zip(("keys", "values"), cache, strict=True):
            self.register_buffer(name, rows)
        self.causal = RelativeMask(reach=inf)

    def forward(self, x):
        self.keys = torch.cat([self.keys, self.key(x)], dim=1)
        self.values = torch.cat([self.values, self.value(x)], dim=1)
        return self.mix(self.query(x), self.keys, self.values, self.causal(x.size(1), self.keys.size(1)))


def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    layer = CachedMultiHead(w_q, w_k, w_v, w_o, n_heads, (x[:, :0], x[:, :0]) if cache is None else cache)
    outputs = layer(x)
    return outputs, (layer.keys, layer.values)


# %%
identity = torch.eye(2, dtype=torch.float64)
first, second = torch.tensor([[[[1, 0]]], [[[0, 0]]]], dtype=torch.float64)
outputs, cache = cached_multi_head(first, identity, identity, identity, identity, 2)
outputs, cache = cached_multi_head(second, identity, identity, identity, identity, 2, cache)
assert outputs.tolist() == [[[0.5, 0]]]


# %%
class Tile(nn.Module):
    """What a block of queries has gathered so far: the largest score, the sum, the weighted values."""

    def __init__(self, queries, width):
        super().__init__()
        batch, rows, d = queries.shape
        self.register_buffer("queries", queries / math.sqrt(d))
        self.register_buffer("top", queries.new_full((batch, rows, 1), -inf))
        self.register_buffer("total", queries.new_zeros(batch, rows, 1))
        self.register_buffer("mixed", queries.new_zeros(batch, rows, width))

    def forward(self, keys, values, visible=None):
        scores = self.queries @ keys.mT
        if visible is not None:
            scores = scores.masked_fill(~visible, -inf)
        top = torch.maximum(self.top, scores.amax(-1, keepdim=True))
        self.total *= torch.exp(self.top - top)
        self.mixed *= torch.exp(self.top - top)
        powers = torch.exp(scores - top)
        self.total += powers.sum(-1, keepdim=True)
        self.mixed += powers @ values
        self.top = top


@torch.no_grad()
def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs, log_sums = q.new_zeros(*q.shape[:2], v.size(2)), q.new_zeros(q.shape[:2])
    for first in range(0, q.size(1), block_size):
        tile = Tile(q[:, first : first + block_size], v.size(2))
        last = first + tile.queries.size(1)
        for start in range(0, last if causal else k.size(1), block_size):
            stop = min(start + block_size, k.size(1))
            visible = causal_mask(stop - start) if causal and start == first else None
            tile(k[:, start:stop], v[:, start:stop], visible)
        outputs[:, first:last] = tile.mixed / tile.total
        log_sums[:, first:last] = (tile.top + tile.total.log()).squeeze(-1)
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
