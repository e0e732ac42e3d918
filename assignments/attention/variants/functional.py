# %% [markdown]
# # Attention: from the dot product to tiles
#
# Functions of one text and one head, and what maps, folds and stacks them. Nothing is ever assigned twice.

# %%
import math
from functools import partial, reduce
from itertools import accumulate, repeat, starmap

import torch

inf = math.inf


# %%
def stacked(rows, dim=0):
    return torch.stack(tuple(rows), dim)


def row_softmax(row):
    return torch.zeros_like(row) if (row == -inf).all() else (lambda p: p / p.sum())((row - row.max()).exp())


def softmax(scores):
    return stacked(map(row_softmax, scores.reshape(-1, scores.shape[-1]))).reshape(scores.shape)


# %%
def table(rule, n, m):
    return torch.tensor([[rule(i, j) for j in range(m)] for i in range(n)], dtype=torch.bool).reshape(n, m)


def causal_mask(n):
    return table(lambda i, j: j <= i, n, n)


def padding_mask(lengths, n):
    return table(lambda b, j: j < lengths[b], len(lengths), n)


def sliding_window_mask(n, window):
    return table(lambda i, j: i - window < j <= i, n, n)


# %%
def hidden(mask, scores):
    return scores if mask is None else scores.masked_fill(mask.logical_not(), -inf)


def single(q, k, v, mask=None):
    """One text, one head: q (T, d), k (S, d), v (S, e)."""
    return (lambda weights: (weights @ v, weights))(softmax(hidden(mask, (q / math.sqrt(q.shape[-1])) @ k.T)))


def scaled_dot_product(q, k, v, mask=None):
    return tuple(map(stacked, zip(*map(single, q, k, v, repeat(mask)), strict=True)))


# %%
def in_heads(n_heads, q, k, v, mask=None):
    """One text: its columns in as many parts, attention in each, the parts side by side."""
    parts = zip(*(rows.chunk(n_heads, dim=-1) for rows in (q, k, v)), strict=True)
    return torch.cat([single(*part, mask)[0] for part in parts], dim=-1)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    mask = causal_mask(x.shape[1]) if causal else None
    return stacked(in_heads(n_heads, text @ w_q, text @ w_k, text @ w_v, mask) @ w_o for text in x)


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    masks = repeat(None) if mask is None else map(torch.squeeze, mask.expand(-1, 1, x.shape[1], -1), repeat(0))
    return stacked(
        in_heads(n_heads, text @ w_q, other @ w_k, other @ w_v, real) @ w_o
        for text, other, real in zip(x, memory, masks, strict=False)
    )


# %%
x = torch.zeros(1, 1, 2, dtype=torch.float64)
memory = torch.tensor([[[2, 0], [4, 6]]], dtype=torch.float64)
identity = torch.eye(2, dtype=torch.float64)
mask = padding_mask(torch.tensor([1]), 2)[:, None, None, :]
assert cross_attention(x, memory, *repeat(identity, 4), 1).tolist() == [[[3, 3]]]
assert cross_attention(x, memory, *repeat(identity, 4), 1, mask).tolist() == [[[2, 0]]]


# %%
def grouped_query(q, k, v, mask=None):
    ratio = q.shape[1] // k.shape[1]
    heads = (scaled_dot_product(q[:, h], k[:, h // ratio], v[:, h // ratio], mask) for h in range(q.shape[1]))
    return tuple(map(partial(stacked, dim=1), zip(*heads, strict=True)))


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    past = (x[:, :0], x[:, :0]) if cache is None else cache
    keys, values = (torch.cat((old, x @ w), dim=1) for old, w in zip(past, (w_k, w_v), strict=True))
    # one mask for all texts: new position i comes after P positions
    mask = table(lambda i, j: j - past[0].shape[1] <= i, x.shape[1], keys.shape[1])
    outputs = stacked(
        in_heads(n_heads, text @ w_q, key, value, mask) @ w_o for text, key, value in zip(x, keys, values, strict=True)
    )
    return outputs, (keys, values)


# %% [markdown]
# The state of a tile is a triple; two of them merge into one, and the empty one changes nothing. So reading the keys
# block by block is a fold.


# %%
def merged(one, two):
    (m1, l1, u1), (m2, l2, u2) = one, two
    m = torch.maximum(m1, m2)
    return m, l1 * (m1 - m).exp() + l2 * (m2 - m).exp(), u1 * (m1 - m).exp() + u2 * (m2 - m).exp()


def state(scores, values):
    m = scores.amax(-1, keepdim=True)
    powers = (scores - m).exp()
    return m, powers.sum(-1, keepdim=True), powers @ values


def starts(n, step):
    return accumulate(repeat(step, -(-n // step) - 1), initial=0)


def tiled_attention(q, k, v, block_size=64, causal=False):
    def tile(i, j):
        # i and j are the first query and the first key; j <= i if causal, hence no row without a visible key
        query, key, value = (rows[:, at : at + block_size] for rows, at in ((q, i), (k, j), (v, j)))
        mask = table(lambda t, s: j + s <= i + t, query.shape[1], key.shape[1]) if causal and i == j else None
        return state(hidden(mask, (query / math.sqrt(q.shape[2])) @ key.mT), value)

    def block(i):
        m, total, u = reduce(merged, (tile(i, j) for j in starts(i + 1 if causal else k.shape[1], block_size)))
        return u / total, (m + total.log())[..., 0]

    return tuple(
        starmap(torch.cat, zip(zip(*map(block, starts(q.shape[1], block_size)), strict=True), (1, 1), strict=True))
    )


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
