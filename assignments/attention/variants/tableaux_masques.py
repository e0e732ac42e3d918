# %% [markdown]
# # Attention : du produit scalaire aux tuiles
#
# Les tableaux masqués de NumPy (`numpy.ma`) : ce qui est interdit n'est pas un score très bas, c'est une case absente.
# Et les masques eux-mêmes sont des vues, sans copie, d'une seule bande de booléens.

# %%
import math

import numpy as np
import torch
from numpy import ma
from numpy.lib.stride_tricks import sliding_window_view


# %%
def weigh(scores):
    """Un tableau masqué de scores ; les poids, 0 pour les cases absentes."""
    n = scores.shape[-1]
    rows = scores.reshape(-1, n)
    powers = ma.exp(rows - rows.max(axis=1)[:, None])
    shares = powers / powers.sum(axis=1)[:, None]
    return shares.filled(0.0).reshape(scores.shape)


def softmax(scores):
    return weigh(ma.masked_equal(scores.numpy(), -math.inf))


# %%
assert softmax(torch.tensor([[1000, 1000], [-math.inf] * 2], dtype=torch.float64)).tolist() == [[0.5, 0.5], [0, 0]]


# %%
def by_distance(n, allowed):
    """Un masque (n, n) qui ne dépend que de j - i : chaque ligne est la même bande, décalée d'une case."""
    band = allowed(np.arange(2 * n) - n)
    return sliding_window_view(band, n)[n:0:-1]


def causal_mask(n):
    return by_distance(n, lambda distance: distance <= 0)


def sliding_window_mask(n, window):
    return by_distance(n, lambda distance: (distance <= 0) & (distance > -window))


def padding_mask(lengths, n):
    return np.greater.outer(lengths.numpy(), np.arange(n))


# %%
assert causal_mask(0).shape == (0, 0)
assert sliding_window_mask(4, 2).sum(axis=0).tolist() == [2, 2, 2, 1]


# %%
def visible(scores, mask):
    if mask is None:
        return ma.array(scores, mask=np.zeros(scores.shape, dtype=bool))
    return ma.array(scores, mask=np.broadcast_to(~np.array(mask), scores.shape))


def attend(q, k, v, mask):
    scores = np.matmul(q, np.moveaxis(k, -1, -2)) / np.sqrt(q.shape[-1])
    weights = weigh(visible(scores, mask))
    return np.matmul(weights, v), weights


def scaled_dot_product(q, k, v, mask=None):
    return attend(q.numpy(), k.numpy(), v.numpy(), mask)


# %%
def heads(q, k, v, w_o, n_heads, mask):
    """Les têtes en première dimension : (H, B, T, D/H)."""
    q, k, v = (np.stack(np.split(rows, n_heads, axis=2)) for rows in (q, k, v))
    outputs, _ = attend(q, k, v, mask)
    return np.concatenate(outputs, axis=2) @ w_o


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    x, w_q, w_k, w_v, w_o = (tensor.numpy() for tensor in (x, w_q, w_k, w_v, w_o))
    return heads(x @ w_q, x @ w_k, x @ w_v, w_o, n_heads, causal_mask(x.shape[1]) if causal else None)


def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    x, memory, w_q, w_k, w_v, w_o = (tensor.numpy() for tensor in (x, memory, w_q, w_k, w_v, w_o))
    # (B, 1, 1, S) devient (1, B, 1, S) : chez moi les têtes sont devant le lot
    mask = None if mask is None else np.swapaxes(np.array(mask), 0, 1)
    return heads(x @ w_q, memory @ w_k, memory @ w_v, w_o, n_heads, mask)


# %%
def grouped_query(q, k, v, mask=None):
    q, k, v = q.numpy(), k.numpy(), v.numpy()
    outputs, weights = [], []
    # un groupe à la fois : ses têtes de requêtes face à une seule tête de clés, qui se diffuse
    for g, mine in enumerate(np.split(q, k.shape[1], axis=1)):
        o, w = attend(mine, k[:, g : g + 1], v[:, g : g + 1], mask)
        outputs.append(o)
        weights.append(w)
    return np.hstack(outputs), np.hstack(weights)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    x, w_q, w_k, w_v, w_o = (tensor.numpy() for tensor in (x, w_q, w_k, w_v, w_o))
    keys, values = x @ w_k, x @ w_v
    if cache is not None:
        keys, values = np.append(cache[0], keys, axis=1), np.append(cache[1], values, axis=1)
    # les dernières lignes d'un masque causal
    mask = causal_mask(keys.shape[1])[-x.shape[1] :]
    return heads(x @ w_q, keys, values, w_o, n_heads, mask), (keys, values)


# %% [markdown]
# Deux passes par bloc de requêtes : d'abord le logarithme de la somme, puis les poids, déjà normalisés.


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    q, k, v = q.numpy(), k.numpy(), v.numpy()
    outputs = np.zeros((*q.shape[:2], v.shape[2]))
    log_sums = np.full(q.shape[:2], -np.inf)
    root = np.sqrt(q.shape[2])
    for i in range(0, q.shape[1], block_size):
        rows = slice(i, i + block_size)
        stop = i + 1 if causal else k.shape[1]

        def tile(j, i=i, rows=rows):
            scores = q[:, rows] @ k[:, j : j + block_size].swapaxes(1, 2) / root
            if causal and i == j:
                scores[:, ~causal_mask(scores.shape[1])] = -np.inf
            return scores

        for j in range(0, stop, block_size):
            log_sums[:, rows] = np.logaddexp(log_sums[:, rows], np.logaddexp.reduce(tile(j), axis=2))
        for j in range(0, stop, block_size):
            outputs[:, rows] += np.exp(tile(j) - log_sums[:, rows, None]) @ v[:, j : j + block_size]
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert np.allclose(outputs.flatten(), [3, 4, 6])
assert np.allclose(np.exp(log_sums), [1, 2, 3])
