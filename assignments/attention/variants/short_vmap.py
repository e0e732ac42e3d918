# %% [markdown]
# # Attention: from the dot product to tiles
#
# One query with one head in one text is all that has to be written: `torch.vmap` does the rest.

# %%
import math

import torch
from torch import vmap


# %%
def softmax(scores):
    return (scores - scores.logsumexp(-1, True).clamp(min=-1e300)).exp()


def causal_mask(n):
    return sliding_window_mask(n, n + 1)


def padding_mask(lengths, n):
    return vmap(torch.gt, (0, None))(lengths, torch.arange(n))


def sliding_window_mask(n, window):
    return torch.ones(n, n).tril().triu(1 - window) > 0


# %%
def look(q, k, v, mask):
    """q (d), k (S, d), v (S, e), mask (S)."""
    weights = softmax((k @ q / math.sqrt(len(q))).where(mask, -math.inf))
    return weights @ v, weights


text = vmap(look, (0, None, None, 0))  # all queries
grouped = vmap(vmap(vmap(text, (0, None, None, None)), (0, 0, 0, None)), (0, 0, 0, 0))  # heads, groups, batch


def attend(q, k, v, mask):
    """q (B, G, R, T, d), k (B, G, S, d), v (B, G, S, e), mask that broadcasts to (B, T, S), or None."""
    shape = len(q), q.shape[3], k.shape[2]
    return grouped(q, k, v, torch.ones(shape).bool() if mask is None else mask.expand(shape))


def scaled_dot_product(q, k, v, mask=None):
    outputs, weights = attend(q[:, None, None], k[:, None], v[:, None], mask)
    return outputs[:, 0, 0], weights[:, 0, 0]


def grouped_query(q, k, v, mask=None):
    outputs, weights = attend(q.unflatten(1, (k.shape[1], -1)), k, v, mask)
    return outputs.flatten(1, 2), weights.flatten(1, 2)


def heads(q, k, v, w_o, n, mask):
    q, k, v = (rows.unflatten(2, (n, -1)).movedim(2, 1) for rows in (q, k, v))
    return attend(q[:, :, None], k, v, mask)[0][:, :, 0].movedim(1, 2).flatten(2) @ w_o


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    return heads(x @ w_q, x @ w_k, x @ w_v, w_o, n_heads, causal_mask(x.shape[1]) if causal else None)


def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return heads(x @ w_q, memory @ w_k, memory @ w_v, w_o, n_heads, None if mask is None else mask[:, 0])


def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    keys, values = (
        torch.cat([*old, x @ w], 1) for old, w in zip(zip(cache) if cache else ((), ()), (w_k, w_v), strict=True)
    )
    mask = causal_mask(keys.shape[1])[-x.shape[1] :]
    return heads(x @ w_q, keys, values, w_o, n_heads, mask), (keys, values)


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs, log_sums = q.new_zeros(*q.shape[:2], v.shape[2]), q.new_full((*q.shape[:2], 1), -math.inf)
    for i in range(0, q.shape[1], block_size):
        t = slice(i, i + block_size)
        for j in range(0, i + 1 if causal else k.shape[1], block_size):
            s = slice(j, j + block_size)
            scores = q[:, t] @ k[:, s].mT / math.sqrt(q.shape[2])
            if causal and i == j:
                scores = scores.where(causal_mask(scores.shape[1]), -math.inf)
            after = log_sums[:, t].logaddexp(scores.logsumexp(2, True))
            outputs[:, t] = outputs[:, t] * (log_sums[:, t] - after).exp() + (scores - after).exp() @ v[:, s]
            log_sums[:, t] = after
    return outputs, log_sums[..., 0]


# %%
inf = math.inf
assert softmax(torch.tensor([[-inf, -inf], [0, -inf]]).double()).tolist() == [[0, 0], [1, 0]]
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert torch.allclose(outputs.flatten(), torch.tensor([3, 4, 6]).double())
