# %% [markdown]
# # Attention : du produit scalaire aux tuiles
#
# Aucune concaténation : chaque tête est une forme bilinéaire $x A_h x^\top$ et une matrice $B_h$ de sortie, avec
# $A_h = W_q^{(h)} {W_k^{(h)}}^\top$ et $B_h = W_v^{(h)} W_o^{(h)}$. Les sorties des têtes s'additionnent.

# %%
import math

import torch

inf = math.inf
torch.set_default_dtype(torch.float64)


# %%
def softmax(scores):
    powers = torch.exp(scores - torch.max(scores, dim=-1, keepdim=True).values)
    # -inf moins -inf n'est pas un nombre : ces lignes-là deviennent des zéros
    return torch.nan_to_num(powers / torch.sum(powers, dim=-1, keepdim=True), nan=0.0)


# %%
assert softmax(torch.tensor([[-inf, -inf], [1000, 1000]])).tolist() == [[0, 0], [0.5, 0.5]]


# %%
def causal_mask(n):
    # la somme cumulée de l'identité, le long de chaque ligne à l'envers : 1 jusqu'à la diagonale
    return torch.eye(n).flip(1).cumsum(1).flip(1).bool()


def padding_mask(lengths, n):
    # un 1 à chaque fin de texte, puis ce qu'il en reste devant soi
    ends = torch.nn.functional.one_hot(lengths, n + 1)
    return (ends.cumsum(1)[:, :n] == 0).reshape(len(lengths), n)


def sliding_window_mask(n, window):
    seen = causal_mask(n)
    forgotten = torch.zeros(n, n, dtype=torch.bool)
    if window < n:
        forgotten[window:, : n - window] = causal_mask(n - window)
    return seen ^ forgotten


# %%
assert sliding_window_mask(4, 2).sum(1).tolist() == [1, 2, 2, 2]
assert padding_mask(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]


# %%
def penalty(mask):
    """Ce qui s'ajoute aux scores : 0 là où c'est permis, -inf ailleurs."""
    return torch.zeros(mask.shape).masked_fill_(mask == 0, -inf)


def scaled_dot_product(q, k, v, mask=None):
    # la racine est partagée entre les deux côtés
    root = q.shape[-1] ** 0.25
    scores = torch.baddbmm(
        penalty(torch.ones(1, 1) if mask is None else mask).expand(len(q), q.shape[1], k.shape[1]),
        q / root,
        (k / root).transpose(1, 2),
    )
    weights = softmax(scores)
    return torch.bmm(weights, v), weights


# %%
def columns(width, n_heads):
    return torch.arange(width).reshape(n_heads, width // n_heads)


def sum_of_heads(x, memory, w_q, w_k, w_v, w_o, n_heads, added):
    total = torch.zeros_like(x)
    for c in columns(x.shape[2], n_heads):
        bilinear = w_q[:, c] @ w_k[:, c].T / math.sqrt(len(c))
        weights = softmax(x @ bilinear @ memory.transpose(1, 2) + added)
        total += weights @ memory @ (w_v[:, c] @ w_o[c])
    return total


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    length = x.shape[1]
    added = penalty(causal_mask(length)) if causal else torch.zeros(length, length)
    return sum_of_heads(x, x, w_q, w_k, w_v, w_o, n_heads, added)


def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    # (B, 1, 1, S) : la première dimension unité est celle des têtes, que l'on parcourt une par une
    added = 0.0 if mask is None else penalty(mask).squeeze(1)
    return sum_of_heads(x, memory, w_q, w_k, w_v, w_o, n_heads, added)


# %%
def grouped_query(q, k, v, mask=None):
    n_heads, groups = q.shape[1], k.shape[1]
    # une matrice de 0 et de 1 (H, G) dit quelle tête lit quel groupe
    reads = torch.kron(torch.eye(groups), torch.ones(n_heads // groups, 1))
    keys, values = (torch.tensordot(reads, rows, dims=([1], [1])).transpose(0, 1) for rows in (k, v))
    flat = [rows.flatten(0, 1) for rows in (q, keys, values)]
    outputs, weights = scaled_dot_product(*flat, mask)
    return outputs.unflatten(0, (-1, n_heads)), weights.unflatten(0, (-1, n_heads))


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    batch, new, width = x.shape
    past = 0 if cache is None else cache[0].shape[1]
    keys, values = torch.empty(batch, past + new, width), torch.empty(batch, past + new, width)
    if cache is not None:
        keys[:, :past], values[:, :past] = cache
    keys[:, past:], values[:, past:] = x @ w_k, x @ w_v
    added = penalty(causal_mask(past + new)[past:])
    outputs = torch.zeros_like(x)
    for c in columns(width, n_heads):
        scores = x @ w_q[:, c] @ keys[:, :, c].transpose(1, 2) / math.sqrt(len(c))
        outputs += softmax(scores + added) @ (values[:, :, c] @ w_o[c])
    return outputs, (keys, values)


# %% [markdown]
# La somme des exponentielles est une colonne comme les autres : celle d'une valeur qui vaut toujours 1.


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs = torch.empty(q.shape[0], q.shape[1], v.shape[2])
    log_sums = torch.empty(q.shape[0], q.shape[1])
    pieces = zip(*(rows.split(block_size, dim=1) for rows in (q, outputs, log_sums)), strict=True)
    for i, (query, out, log_sum) in enumerate(pieces):
        m = torch.full((*query.shape[:2], 1), -inf)
        u = torch.zeros(*query.shape[:2], v.shape[2] + 1)
        for j, (key, value) in enumerate(zip(k.split(block_size, dim=1), v.split(block_size, dim=1), strict=True)):
            if causal and j > i:
                break
            scores = query @ key.transpose(1, 2) / math.sqrt(q.shape[2])
            if causal and j == i:
                scores += penalty(causal_mask(query.shape[1]))
            higher = torch.max(m, scores.max(dim=2, keepdim=True).values)
            with_ones = torch.nn.functional.pad(value, (0, 1), value=1.0)
            u = torch.exp(m - higher) * u + torch.exp(scores - higher) @ with_ones
            m = higher
        out.copy_(u[..., :-1] / u[..., -1:])
        log_sum.copy_(m[..., 0] + torch.log(u[..., -1]))
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1), torch.ones(1, 3, 1)
v = torch.tensor([[[3.0], [5.0], [10.0]]])
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
