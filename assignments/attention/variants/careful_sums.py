# %% [markdown]
# # Attention: from the dot product to tiles
#
# Every sum is exact before it is rounded (`math.fsum`), or keeps what rounding lost (Neumaier), and the logarithm of
# a sum that is close to 1 comes from `log1p`.

# %%
import math

import numpy as np
import torch

inf = math.inf


# %%
def exact_rows(table):
    """The sums along the last dimension, each rounded once."""
    flat = table.reshape(-1, table.shape[-1]).tolist()
    return np.array([math.fsum(row) for row in flat], dtype=np.float64).reshape(table.shape[:-1])


def exact_product(a, b):
    """a (n, k) @ b (k, m), each entry rounded once after its products."""
    out = np.empty((a.shape[0], b.shape[1]))
    for i, row in enumerate(a):
        out[i] = exact_rows(b.T * row)
    return out


# %%
def softmax(scores):
    scores = np.array(scores, dtype=np.float64)
    weights = np.zeros_like(scores)
    for index in np.ndindex(scores.shape[:-1]):
        row = scores[index]
        seen = row != -inf
        if not seen.any():
            continue
        powers = np.exp(row[seen] - row[seen].max())
        # from the smallest to the largest does not matter to fsum
        weights[index][seen] = powers / math.fsum(powers.tolist())
    return weights


# %%
assert softmax(torch.tensor([-inf, 3, -inf], dtype=torch.float64)).tolist() == [0, 1, 0]


# %%
def causal_mask(n):
    return torch.from_numpy(np.subtract.outer(np.arange(n), np.arange(n)) >= 0)


def padding_mask(lengths, n):
    return torch.from_numpy(np.subtract.outer(lengths.numpy(), np.arange(n)) > 0)


def sliding_window_mask(n, window):
    # a distance below 0 becomes huge when read without a sign
    distance = np.subtract.outer(np.arange(n), np.arange(n)).astype(np.uint64)
    return torch.from_numpy(distance < window)


# %%
def one_head(q, k, v, mask):
    """One text and one head. Queries are divided before the products, which so stay smaller."""
    scores = exact_product(q / math.sqrt(q.shape[1]), k.T)
    if mask is not None:
        scores[~mask] = -inf
    weights = softmax(scores)
    return exact_product(weights, v), weights


def opened(*tensors):
    return [np.array(tensor, dtype=np.float64) for tensor in tensors]


def table(mask):
    return None if mask is None else np.array(mask, dtype=bool)


def scaled_dot_product(q, k, v, mask=None):
    mask = table(mask)
    results = [one_head(*text, mask) for text in zip(*opened(q, k, v), strict=True)]
    return np.array([outputs for outputs, _ in results]), np.array([weights for _, weights in results])


# %%
def heads(q, k, v, w_o, n_heads, mask):
    """One text: heads, joined and projected."""
    joined = np.empty_like(q)
    for at in np.split(np.arange(q.shape[1]), n_heads):
        joined[:, at], _ = one_head(q[:, at], k[:, at], v[:, at], mask)
    return exact_product(joined, w_o)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    x, w_q, w_k, w_v, w_o = opened(x, w_q, w_k, w_v, w_o)
    mask = table(causal_mask(x.shape[1])) if causal else None
    return np.array(
        [heads(*(exact_product(text, w) for w in (w_q, w_k, w_v)), w_o, n_heads, mask) for text in x],
    )


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    x, memory, w_q, w_k, w_v, w_o = opened(x, memory, w_q, w_k, w_v, w_o)
    shape = x.shape[0], 1, x.shape[1], memory.shape[1]
    masks = np.broadcast_to(True if mask is None else table(mask), shape)[:, 0]
    outputs = np.empty_like(x)
    for b in range(len(x)):
        q, k, v = exact_product(x[b], w_q), exact_product(memory[b], w_k), exact_product(memory[b], w_v)
        outputs[b] = heads(q, k, v, w_o, n_heads, masks[b])
    return outputs


# %%
def grouped_query(q, k, v, mask=None):
    q, k, v = opened(q, k, v)
    mask = table(mask)
    batch, n_heads, length, _ = q.shape
    outputs = np.empty((batch, n_heads, length, v.shape[3]))
    weights = np.empty((batch, n_heads, length, k.shape[2]))
    per_group = n_heads // k.shape[1]
    for b, g, r in np.ndindex(batch, k.shape[1], per_group):
        h = g * per_group + r
        outputs[b, h], weights[b, h] = one_head(q[b, h], k[b, g], v[b, g], mask)
    return outputs, weights


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    x, w_q, w_k, w_v, w_o = opened(x, w_q, w_k, w_v, w_o)
    keys = np.array([exact_product(text, w_k) for text in x])
    values = np.array([exact_product(text, w_v) for text in x])
    if cache is not None:
        old_keys, old_values = opened(*cache)
        keys, values = np.hstack([old_keys, keys]), np.hstack([old_values, values])
    mask = table(causal_mask(keys.shape[1]))[keys.shape[1] - x.shape[1] :]
    outputs = np.empty_like(x)
    for b, text in enumerate(x):
        outputs[b] = heads(exact_product(text, w_q), keys[b], values[b], w_o, n_heads, mask)
    return outputs, (keys, values)


# %%
class Compensated:
    """Neumaier's sum of arrays: `lost` is what the rounding of `total` has dropped."""

    def __init__(self, shape):
        self.total, self.lost = np.zeros(shape), np.zeros(shape)

    def add(self, terms):
        total = self.total + terms
        larger = np.abs(self.total) >= np.abs(terms)
        self.lost += np.where(larger, (self.total - total) + terms, (terms - total) + self.total)
        self.total = total

    @property
    def value(self):
        return self.total + self.lost


def tiled_attention(q, k, v, block_size=64, causal=False):
    """First the best key of each query, then sums against it: nothing that was added is ever rescaled."""
    q, k, v = q.numpy(), k.numpy(), v.numpy()
    batch, length, d = q.shape
    seen, width = v.shape[1:]
    outputs, log_sums = np.empty((batch, length, width)), np.empty((batch, length))

    def scores_of(b, i, j):
        scores = exact_product(q[b, i : i + block_size] / math.sqrt(d), k[b, j : j + block_size].T)
        if causal:
            scores[np.add.outer(-np.arange(scores.shape[0]), np.arange(scores.shape[1])) > i - j] = -inf
        return scores

    for b in range(batch):
        for i in range(0, length, block_size):
            rows = np.arange(min(block_size, length - i))
            best, where = np.full(rows.shape, -inf), np.zeros(rows.shape, dtype=int)
            for j in range(0, seen, block_size):
                scores = scores_of(b, i, j)
                column = scores.argmax(axis=1)
                higher = scores[rows, column] > best
                best[higher], where[higher] = scores[rows, column][higher], j + column[higher]
            # the best key counts for exactly 1: it stays out of `others`
            others, mixed = Compensated(rows.shape), Compensated((len(rows), width))
            for j in range(0, seen, block_size):
                powers = np.exp(scores_of(b, i, j) - best[:, None])
                mixed.add(exact_product(powers, v[b, j : j + block_size]))
                here = (where >= j) & (where < j + block_size)
                powers[rows[here], where[here] - j] = 0.0
                others.add(exact_rows(powers))
            outputs[b, i + rows] = mixed.value / (1.0 + others.value)[:, None]
            log_sums[b, i + rows] = best + np.log1p(others.value)
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
assert np.allclose(np.exp(log_sums), [1, 2, 3])
