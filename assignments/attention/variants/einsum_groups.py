# %% [markdown]
# # Attention : du produit scalaire aux tuiles
#
# Chaque produit est un `einsum`, qui nomme ses dimensions comme l'énoncé :
# b, t, s, d, e, et h = (g, r) pour la r-ième tête du groupe g.

# %%
import math

import torch
from torch import einsum

inf = math.inf


# %%
def softmax(scores):
    seen = scores > -inf
    top = torch.where(seen, scores, torch.finfo(scores.dtype).min).amax(-1, keepdim=True)
    # exp2 : une puissance de 2, après avoir soustrait le maximum
    powers = torch.where(seen, torch.exp2((scores - top) / math.log(2)), 0.0)
    total = powers.sum(-1, keepdim=True)
    return powers / torch.where(total == 0, 1.0, total)


# %%
def causal_mask(n):
    position = torch.arange(n)
    return position.view(n, 1) >= position.view(1, n)


# %%
def padding_mask(lengths, n):
    return lengths.view(-1, 1).gt(torch.arange(n).view(1, -1))


# %%
def sliding_window_mask(n, window):
    back = torch.arange(n).view(n, 1) - torch.arange(n).view(1, n)
    return (back >= 0) & (back < window)


# %%
def hide(scores, mask):
    return scores if mask is None else torch.where(mask, scores, -inf)


def scaled_dot_product(q, k, v, mask=None):
    scores = einsum("btd,bsd->bts", q, k) * q.shape[-1] ** -0.5
    weights = softmax(hide(scores, mask))
    return einsum("bts,bse->bte", weights, v), weights


# %%
def heads(x, w, n_heads):
    """Projette et découpe d'un coup : la matrice (M, D) devient (M, H, D/H)."""
    return einsum("btm,mhd->bthd", x, w.unflatten(1, (n_heads, -1)))


def mix(q, k, v, w_o, mask):
    scores = einsum("bthd,bshd->bhts", q, k) * q.shape[-1] ** -0.5
    weights = softmax(hide(scores, mask))
    return einsum("bhts,bshd,hdo->bto", weights, v, w_o.unflatten(0, (q.shape[2], -1)))


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    q, k, v = (heads(x, w, n_heads) for w in (w_q, w_k, w_v))
    return mix(q, k, v, w_o, causal_mask(x.shape[1]) if causal else None)


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return mix(heads(x, w_q, n_heads), heads(memory, w_k, n_heads), heads(memory, w_v, n_heads), w_o, mask)


# %%
def grouped_query(q, k, v, mask=None):
    # sans recopier les clés : ce sont les requêtes qui reçoivent une dimension de plus
    q = q.unflatten(1, (k.shape[1], -1))
    scores = einsum("bgrtd,bgsd->bgrts", q, k) * q.shape[-1] ** -0.5
    weights = softmax(hide(scores, mask))
    return einsum("bgrts,bgse->bgrte", weights, v).flatten(1, 2), weights.flatten(1, 2)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    new_keys, new_values = einsum("btm,md->btd", x, w_k), einsum("btm,md->btd", x, w_v)
    old_keys, old_values = (new_keys[:, :0], new_values[:, :0]) if cache is None else cache
    keys, values = torch.cat([old_keys, new_keys], 1), torch.cat([old_values, new_values], 1)
    past, new = old_keys.shape[1], x.shape[1]
    mask = torch.cat([torch.ones(new, past, dtype=torch.bool), causal_mask(new)], 1)
    k, v = keys.unflatten(2, (n_heads, -1)), values.unflatten(2, (n_heads, -1))
    return mix(heads(x, w_q, n_heads), k, v, w_o, mask), (keys, values)


# %% [markdown]
# Deux lectures des clés pour chaque bloc de requêtes : la première trouve le maximum et la somme, la seconde
# n'a plus rien à corriger.


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    T, S = q.shape[1], k.shape[1]
    outputs = torch.zeros(*q.shape[:2], v.shape[2], dtype=q.dtype)
    log_sums = torch.zeros(q.shape[:2], dtype=q.dtype)

    def tile(first, start):
        rows, cols = slice(first, first + block_size), slice(start, start + block_size)
        scores = einsum("btd,bsd->bts", q[:, rows], k[:, cols]) * q.shape[2] ** -0.5
        if not causal:
            return scores
        return hide(scores, torch.arange(T)[rows].view(-1, 1) >= torch.arange(S)[cols].view(1, -1))

    for first in range(0, T, block_size):
        rows = slice(first, first + block_size)
        top, total = tile(first, 0).amax(2), 0.0
        for start in range(block_size, S, block_size):
            top = top.maximum(tile(first, start).amax(2))
        for start in range(0, S, block_size):
            powers = torch.exp(tile(first, start) - top[:, :, None])
            total = total + einsum("bts->bt", powers)
            outputs[:, rows] += einsum("bts,bse->bte", powers, v[:, start : start + block_size])
        outputs[:, rows] /= total[:, :, None]
        log_sums[:, rows] = top + total.log()
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 4, 1, 1, dtype=torch.float64), torch.zeros(1, 2, 1, 1, dtype=torch.float64)
v = torch.tensor([[[[5]], [[7]]]], dtype=torch.float64)
assert grouped_query(q, k, v)[0].flatten().tolist() == [5, 5, 7, 7]
