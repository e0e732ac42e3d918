# %% [markdown]
# # Attention : du produit scalaire aux tuiles
#
# Diviser pour régner : un problème se coupe en deux, ou en une tête et le reste, jusqu'à ce qu'il soit évident.

# %%
import math

import numpy as np
import torch

inf = math.inf


# %%
def softmax(scores):
    if scores.ndim > 1:
        return torch.stack([softmax(part) for part in scores])
    top = scores.max()
    if top == -inf:
        return torch.zeros_like(scores)
    powers = torch.exp(scores - top)
    return powers / powers.sum()


# %%
def block(n, m, value):
    return np.full((n, m), value, dtype=bool)


def causal_mask(n):
    """Un masque de longueur n : deux masques sur la diagonale, tout le passé à gauche, rien à droite."""
    if n <= 1:
        return block(n, n, True)
    half = n // 2
    rest = n - half
    return np.block([[causal_mask(half), block(half, rest, False)], [block(rest, half, True), causal_mask(rest)]])


# %%
def padding_mask(lengths, n):
    if n == 0:
        return np.empty((len(lengths), 0), dtype=bool)
    before = padding_mask(lengths, n - 1)
    return np.hstack([before, lengths.numpy()[:, None] >= n])


# %%
def sliding_window_mask(n, window):
    """Une fenêtre de W positions : celle de W - 1, et ce qui se trouve W - 1 positions en arrière."""
    if n == 0:
        return block(0, 0, False)
    if window == 1:
        return np.eye(n, dtype=bool)
    if window > n:
        return causal_mask(n)
    return sliding_window_mask(n, window - 1) | np.eye(n, k=1 - window, dtype=bool)


# %%
assert sliding_window_mask(4, 2).sum(axis=1).tolist() == [1, 2, 2, 2]


# %%
def scaled_dot_product(q, k, v, mask=None):
    """Le lot entier : un texte, puis le reste du lot."""
    if len(q) > 1:
        first, rest = (scaled_dot_product(q[s], k[s], v[s], mask) for s in (slice(0, 1), slice(1, None)))
        return torch.cat([first[0], rest[0]]), torch.cat([first[1], rest[1]])
    scores = torch.tensordot(q[0], k[0], dims=([1], [1])) / q.shape[2] ** 0.5
    if mask is not None:
        scores[~torch.as_tensor(mask)] = -inf
    weights = softmax(scores)
    return (weights @ v[0])[None], weights[None]


# %%
def heads(q, k, v, n_heads, attend):
    """La première tête, puis les autres."""
    width = q.shape[2] // n_heads
    first = attend(q[..., :width], k[..., :width], v[..., :width])
    if n_heads == 1:
        return first
    return torch.cat([first, heads(q[..., width:], k[..., width:], v[..., width:], n_heads - 1, attend)], dim=2)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    mask = causal_mask(x.shape[1]) if causal else None
    return heads(x @ w_q, x @ w_k, x @ w_v, n_heads, lambda q, k, v: scaled_dot_product(q, k, v, mask)[0]) @ w_o


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    if len(x) > 1:
        half = len(x) // 2
        cuts = slice(0, half), slice(half, None)
        parts = [
            cross_attention(x[s], memory[s], w_q, w_k, w_v, w_o, n_heads, None if mask is None else mask[s])
            for s in cuts
        ]
        return torch.cat(parts)
    # un seul texte : une seule ligne de masque, la même pour toutes les requêtes
    row = None if mask is None else torch.as_tensor(mask)[0, 0].expand(x.shape[1], -1)
    return (
        heads(x @ w_q, memory @ w_k, memory @ w_v, n_heads, lambda q, k, v: scaled_dot_product(q, k, v, row)[0]) @ w_o
    )


# %%
def grouped_query(q, k, v, mask=None):
    """Le premier groupe : ses requêtes mises bout à bout, comme celles d'un texte plus long."""
    batch, n_heads, length, width = q.shape
    shared = n_heads // k.shape[1]
    mine = q[:, :shared].reshape(batch, shared * length, width)
    rows = None if mask is None else mask.repeat(shared, 1)
    outputs, weights = (
        part.reshape(batch, shared, length, -1) for part in scaled_dot_product(mine, k[:, 0], v[:, 0], rows)
    )
    if k.shape[1] == 1:
        return outputs, weights
    others = grouped_query(q[:, shared:], k[:, 1:], v[:, 1:], mask)
    return torch.cat([outputs, others[0]], dim=1), torch.cat([weights, others[1]], dim=1)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    """Une position, qui voit tout ce qui est dans le cache ; puis les suivantes, avec le cache qu'elle laisse."""
    now, later = x[:, :1], x[:, 1:]
    keys, values = now @ w_k, now @ w_v
    if cache is not None:
        keys, values = torch.cat([cache[0], keys], dim=1), torch.cat([cache[1], values], dim=1)
    output = heads(now @ w_q, keys, values, n_heads, lambda q, k, v: scaled_dot_product(q, k, v)[0]) @ w_o
    if later.shape[1] == 0:
        return output, (keys, values)
    outputs, cache = cached_multi_head(later, w_q, w_k, w_v, w_o, n_heads, (keys, values))
    return torch.cat([output, outputs], dim=1), cache


# %% [markdown]
# ## Les tuiles
#
# Les clés se coupent en deux moitiés (au bord d'un bloc) : chacune donne son maximum, sa somme et ses valeurs
# pondérées, et l'on réunit les deux. De même les requêtes, dont les réponses vont l'une après l'autre.


# %%
def middle(start, stop, block_size):
    blocks = -(-(stop - start) // block_size)
    return start + blocks // 2 * block_size


def gather(q, k, v, rows, start, stop, block_size, causal):
    """Le triplet (maximum, somme, valeurs) des requêtes `rows` sur les clés de start à stop."""
    if stop - start > block_size:
        cut = middle(start, stop, block_size)
        m1, l1, u1 = gather(q, k, v, rows, start, cut, block_size, causal)
        m2, l2, u2 = gather(q, k, v, rows, cut, stop, block_size, causal)
        m = torch.maximum(m1, m2)
        a, b = torch.exp(m1 - m), torch.exp(m2 - m)
        return m, a * l1 + b * l2, a * u1 + b * u2
    scores = q[:, rows] @ k[:, start:stop].mT / math.sqrt(q.shape[2])
    if causal:
        future = torch.arange(start, stop)[None] > torch.arange(rows.start, rows.stop)[:, None]
        scores[:, future] = -inf
    # un nombre fini même là où tout est caché : le plus petit de tous
    m = scores.max(dim=2, keepdim=True)[0].clamp(min=-1e308)
    powers = torch.exp(scores - m)
    return m, powers.sum(dim=2, keepdim=True), powers @ v[:, start:stop]


def fill(outputs, log_sums, q, k, v, first, last, block_size, causal):
    if last - first > block_size:
        cut = middle(first, last, block_size)
        fill(outputs, log_sums, q, k, v, first, cut, block_size, causal)
        fill(outputs, log_sums, q, k, v, cut, last, block_size, causal)
        return
    stop = last if causal else k.shape[1]
    m, total, u = gather(q, k, v, slice(first, last), 0, stop, block_size, causal)
    outputs[:, first:last] = u / total
    log_sums[:, first:last] = (m + torch.log(total)).squeeze(2)


def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs = torch.zeros(q.shape[0], q.shape[1], v.shape[2], dtype=torch.float64)
    log_sums = torch.zeros(q.shape[0], q.shape[1], dtype=torch.float64)
    fill(outputs, log_sums, q, k, v, 0, q.shape[1], block_size, causal)
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
