# %% [markdown]
# # Attention : du produit scalaire aux tuiles
#
# Tout en NumPy : les tenseurs reçus deviennent des tableaux, et ce sont des tableaux que je renvoie.

# %%
import math

import numpy as np
import torch

inf = math.inf


# %%
def softmax(scores):
    scores = np.asarray(scores, dtype=np.float64)
    top = scores.max(axis=-1, keepdims=True)
    # une ligne de -inf : on soustrait 0, les exponentielles sont nulles
    top = np.where(np.isneginf(top), 0.0, top)
    powers = np.exp(scores - top)
    total = powers.sum(axis=-1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


# %%
def causal_mask(n):
    return np.tri(n, dtype=bool)


# %%
def padding_mask(lengths, n):
    return np.arange(n) < np.asarray(lengths)[:, None]


# %%
def sliding_window_mask(n, window):
    # tout le passé, moins ce qui est trop loin
    return np.tri(n, dtype=bool) & ~np.tri(n, k=-window, dtype=bool)


# %%
def attention(q, k, v, mask=None):
    """Dimensions (..., T, d), (..., S, d), (..., S, e) ; le masque se diffuse."""
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(np.asarray(mask), scores, -inf)
    weights = softmax(scores)
    return weights @ v, weights


def scaled_dot_product(q, k, v, mask=None):
    return attention(q.numpy(), k.numpy(), v.numpy(), mask)


# %%
def split(rows, n_heads):
    """(B, T, D) -> (B, H, T, D/H)."""
    batch, length, width = rows.shape
    return rows.reshape(batch, length, n_heads, width // n_heads).transpose(0, 2, 1, 3)


def join(heads):
    """(B, H, T, D/H) -> (B, T, D)."""
    batch, n_heads, length, width = heads.shape
    return heads.transpose(0, 2, 1, 3).reshape(batch, length, n_heads * width)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    x, w_q, w_k, w_v, w_o = map(np.asarray, (x, w_q, w_k, w_v, w_o))
    q, k, v = (split(x @ w, n_heads) for w in (w_q, w_k, w_v))
    heads, _ = attention(q, k, v, causal_mask(x.shape[1]) if causal else None)
    return join(heads) @ w_o


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    x, memory, w_q, w_k, w_v, w_o = map(np.asarray, (x, memory, w_q, w_k, w_v, w_o))
    heads, _ = attention(split(x @ w_q, n_heads), split(memory @ w_k, n_heads), split(memory @ w_v, n_heads), mask)
    return join(heads) @ w_o


# %%
identity = torch.eye(2, dtype=torch.float64)
memory = torch.tensor([[[2, 0], [4, 6]]], dtype=torch.float64)
mask = padding_mask(torch.tensor([1]), 2)[:, None, None, :]
assert cross_attention(memory[:, :1] * 0, memory, *[identity] * 4, 1, mask).tolist() == [[[2, 0]]]


# %%
def grouped_query(q, k, v, mask=None):
    q, k, v = q.numpy(), k.numpy(), v.numpy()
    group = np.arange(q.shape[1]) // (q.shape[1] // k.shape[1])
    return attention(q, k[:, group], v[:, group], mask)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    x, w_q, w_k, w_v, w_o = map(np.asarray, (x, w_q, w_k, w_v, w_o))
    keys, values = x @ w_k, x @ w_v
    if cache is not None:
        keys = np.concatenate([cache[0], keys], axis=1)
        values = np.concatenate([cache[1], values], axis=1)
    new, total = x.shape[1], keys.shape[1]
    visible = np.tri(new, total, k=total - new, dtype=bool)
    heads, _ = attention(split(x @ w_q, n_heads), split(keys, n_heads), split(values, n_heads), visible)
    return join(heads) @ w_o, (keys, values)


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    q, k, v = q.numpy(), k.numpy(), v.numpy()
    batch, length, d = q.shape
    outputs = np.empty((batch, length, v.shape[2]))
    log_sums = np.empty((batch, length))
    for i in range(0, length, block_size):
        query = q[:, i : i + block_size]
        rows = query.shape[1]
        m = np.full((batch, rows, 1), -inf)
        total = np.zeros((batch, rows, 1))
        u = np.zeros((batch, rows, v.shape[2]))
        # inutile d'aller plus loin que la diagonale
        for j in range(0, i + rows if causal else k.shape[1], block_size):
            scores = query @ k[:, j : j + block_size].transpose(0, 2, 1) / math.sqrt(d)
            if causal:
                scores = np.where(np.tri(rows, scores.shape[2], k=i - j, dtype=bool), scores, -inf)
            higher = np.maximum(m, scores.max(axis=2, keepdims=True))
            powers = np.exp(scores - higher)
            old = np.exp(m - higher)
            total = old * total + powers.sum(axis=2, keepdims=True)
            u = old * u + powers @ v[:, j : j + block_size]
            m = higher
        outputs[:, i : i + rows] = u / total
        log_sums[:, i : i + rows] = (m + np.log(total))[..., 0]
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert np.allclose(outputs.flatten(), [3, 4, 6])
assert np.allclose(np.exp(log_sums), [1, 2, 3])
