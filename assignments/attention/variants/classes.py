# %% [markdown]
# # Attention: from the dot product to tiles
#
# Three small classes carry the work: projections of a layer, a cache that grows, and a softmax that is
# fed piece by piece. The functions asked for only put them together.

# %%
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

inf = math.inf


# %%
class RunningSoftmax:
    """What is known of softmax(scores) @ values after some of the columns, for one tensor of rows."""

    def __init__(self, rows, width):
        self.top = torch.full((*rows, 1), -inf, dtype=torch.float64)
        self.total = torch.zeros(*rows, 1, dtype=torch.float64)
        self.mixed = torch.zeros(*rows, width, dtype=torch.float64)

    def feed(self, scores, values):
        top = torch.maximum(self.top, scores.max(-1, keepdim=True).values)
        level = torch.where(top == -inf, 0.0, top)
        old, new = torch.exp(self.top - level), torch.exp(scores - level)
        self.total = self.total * old + new.sum(-1, keepdim=True)
        self.mixed = self.mixed * old + new @ values
        self.top = top

    @property
    def result(self):
        return torch.where(self.total > 0, self.mixed / self.total, 0.0)

    @property
    def log_sum(self):
        return (self.top + torch.log(self.total)).squeeze(-1)


def softmax(scores):
    """Mixes the rows of the identity: the mixture is the weights themselves."""
    n = scores.shape[-1]
    running = RunningSoftmax(scores.shape[:-1], n)
    running.feed(scores, torch.eye(n, dtype=torch.float64))
    return running.result


# %%
class Positions:
    """Rows and columns of a table that faces queries with keys."""

    def __init__(self, rows, columns):
        self.i = torch.arange(rows).reshape(-1, 1)
        self.j = torch.arange(columns).reshape(1, -1)

    def past(self, offset=0):
        return self.j <= self.i + offset

    def recent(self, window):
        return self.j > self.i - window


def causal_mask(n):
    return Positions(n, n).past()


def sliding_window_mask(n, window):
    positions = Positions(n, n)
    return torch.logical_and(positions.past(), positions.recent(window))


def padding_mask(lengths, n):
    return Positions(0, n).j < lengths.reshape(-1, 1)


# %%
def scaled_dot_product(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.where(mask, torch.tensor(-inf, dtype=torch.float64))
    weights = softmax(scores)
    return weights @ v, weights


# %%
@dataclass
class Cache:
    keys: Tensor | None = None
    values: Tensor | None = None

    @property
    def length(self):
        return 0 if self.keys is None else self.keys.shape[1]

    def extended(self, keys, values):
        """A new cache: this one stays as it is."""
        if self.keys is None:
            return Cache(keys, values)
        return Cache(torch.hstack([self.keys, keys]), torch.hstack([self.values, values]))


@dataclass
class AttentionLayer:
    w_q: Tensor
    w_k: Tensor
    w_v: Tensor
    w_o: Tensor
    n_heads: int

    def remember(self, memory, cache=None):
        return (cache or Cache()).extended(memory @ self.w_k, memory @ self.w_v)

    def head_columns(self):
        width = self.w_q.shape[1] // self.n_heads
        return [slice(h * width, (h + 1) * width) for h in range(self.n_heads)]

    def look(self, x, cache, masks=None):
        """Masks: one for each text, or None. Texts and heads one by one, each a plain table."""
        q = x @ self.w_q
        outputs = torch.empty_like(q)
        for b in range(len(x)):
            for columns in self.head_columns():
                table = q[b, :, columns], cache.keys[b, :, columns], cache.values[b, :, columns]
                outputs[b, :, columns], _ = scaled_dot_product(*table, None if masks is None else masks[b])
        return outputs @ self.w_o


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    layer = AttentionLayer(w_q, w_k, w_v, w_o, n_heads)
    return layer.look(x, layer.remember(x), [causal_mask(x.shape[1])] * len(x) if causal else None)


def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    layer = AttentionLayer(w_q, w_k, w_v, w_o, n_heads)
    return layer.look(x, layer.remember(memory), None if mask is None else mask[:, 0])


def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    layer = AttentionLayer(w_q, w_k, w_v, w_o, n_heads)
    before = Cache() if cache is None else Cache(*cache)
    after = layer.remember(x, before)
    mask = Positions(x.shape[1], after.length).past(before.length)
    return layer.look(x, after, [mask] * len(x)), (after.keys, after.values)


# %%
identity = torch.eye(2, dtype=torch.float64)
first, second = torch.tensor([[[[1, 0]]], [[[0, 0]]]], dtype=torch.float64)
outputs, cache = cached_multi_head(first, *[identity] * 4, 2)
outputs, cache = cached_multi_head(second, *[identity] * 4, 2, cache)
assert outputs.tolist() == [[[0.5, 0]]]
assert cache[0].tolist() == cache[1].tolist() == [[[1, 0], [0, 0]]]


# %%
def grouped_query(q, k, v, mask=None):
    per_group = q.shape[1] // k.shape[1]
    pairs = [scaled_dot_product(q[:, h], k[:, h // per_group], v[:, h // per_group], mask) for h in range(q.shape[1])]
    outputs, weights = zip(*pairs, strict=True)
    return torch.stack(outputs, dim=1), torch.stack(weights, dim=1)


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs = torch.empty(*q.shape[:2], v.shape[2], dtype=torch.float64)
    log_sums = torch.empty(*q.shape[:2], dtype=torch.float64)
    for first in range(0, q.shape[1], block_size):
        rows = slice(first, first + block_size)
        queries = q[:, rows] / math.sqrt(q.shape[2])
        running = RunningSoftmax(queries.shape[:2], v.shape[2])
        for start in range(0, k.shape[1], block_size):
            keys = k[:, start : start + block_size]
            scores = queries @ keys.transpose(1, 2)
            if causal:
                past = Positions(queries.shape[1], keys.shape[1]).past(first - start)
                scores = scores.where(past, torch.tensor(-inf, dtype=torch.float64))
            running.feed(scores, v[:, start : start + block_size])
        outputs[:, rows], log_sums[:, rows] = running.result, running.log_sum
    return outputs, log_sums
