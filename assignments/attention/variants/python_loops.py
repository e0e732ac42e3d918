# %% [markdown]
# # Attention: from the dot product to tiles
#
# Plain Python: nested lists and loops. Tensors are opened on the way in and made again on the way out.

# %%
import math

import torch

inf = math.inf


# %%
def as_tensor(nested, *shape):
    return torch.tensor(nested, dtype=torch.float64).reshape(shape)


def dot(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def product(rows, matrix):
    """Lists: rows @ matrix."""
    columns = list(zip(*matrix, strict=True))
    return [[dot(row, column) for column in columns] for row in rows]


# %%
def softmax_row(row):
    # one pass: the sum is corrected whenever a larger score turns up
    top, total = -inf, 0.0
    for score in row:
        if score == -inf:
            continue
        if score > top:
            total = total * math.exp(top - score) + 1.0
            top = score
        else:
            total += math.exp(score - top)
    if total == 0.0:
        return [0.0] * len(row)
    return [0.0 if score == -inf else math.exp(score - top) / total for score in row]


def softmax(scores):
    rows = scores.reshape(-1, scores.shape[-1]).tolist()
    return as_tensor([softmax_row(row) for row in rows], *scores.shape)


# %%
assert softmax(torch.tensor([[1000.0, 1000.0], [-inf, -inf]]).double()).tolist() == [[0.5, 0.5], [0.0, 0.0]]


# %%
def causal_mask(n):
    mask = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        for j in range(i + 1):
            mask[i, j] = True
    return mask


# %%
def padding_mask(lengths, n):
    mask = torch.zeros(len(lengths), n, dtype=torch.bool)
    for b, length in enumerate(lengths.tolist()):
        for j in range(length):
            mask[b, j] = True
    return mask


# %%
def sliding_window_mask(n, window):
    mask = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        for j in range(max(0, i - window + 1), i + 1):
            mask[i, j] = True
    return mask


# %%
def attend(queries, keys, values, allowed):
    """One text, one head, lists of lists; allowed(i, j) says whether query i may look at key j."""
    root = math.sqrt(len(queries[0]))
    outputs, weights = [], []
    for i, query in enumerate(queries):
        row = []
        for j, key in enumerate(keys):
            row.append(dot(query, key) / root if allowed(i, j) else -inf)
        row = softmax_row(row)
        output = [0.0] * len(values[0])
        for weight, value in zip(row, values, strict=True):
            for c, entry in enumerate(value):
                output[c] += weight * entry
        weights.append(row)
        outputs.append(output)
    return outputs, weights


def rule(mask):
    if mask is None:
        return lambda i, j: True
    table = mask.tolist()
    return lambda i, j: table[i][j]


def scaled_dot_product(q, k, v, mask=None):
    allowed = rule(mask)
    outputs, weights = [], []
    for queries, keys, values in zip(q.tolist(), k.tolist(), v.tolist(), strict=True):
        o, w = attend(queries, keys, values, allowed)
        outputs.append(o)
        weights.append(w)
    (batch, long, _), (_, seen, wide) = q.shape, v.shape
    return as_tensor(outputs, batch, long, wide), as_tensor(weights, batch, long, seen)


# %%
def columns(rows, start, stop):
    return [row[start:stop] for row in rows]


def all_heads(queries, keys, values, w_o, n_heads, allowed):
    width = len(w_o) // n_heads
    joined = [[] for _ in queries]
    for h in range(n_heads):
        cut = h * width, (h + 1) * width
        head, _ = attend(columns(queries, *cut), columns(keys, *cut), columns(values, *cut), allowed)
        for line, part in zip(joined, head, strict=True):
            line.extend(part)
    return product(joined, w_o)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    w_q, w_k, w_v, w_o = (w.tolist() for w in (w_q, w_k, w_v, w_o))

    def allowed(i, j):
        return not causal or j <= i

    texts = [
        all_heads(product(text, w_q), product(text, w_k), product(text, w_v), w_o, n_heads, allowed)
        for text in x.tolist()
    ]
    return as_tensor(texts, *x.shape)


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    w_q, w_k, w_v, w_o = (w.tolist() for w in (w_q, w_k, w_v, w_o))
    texts = []
    for b, (text, other) in enumerate(zip(x.tolist(), memory.tolist(), strict=True)):
        real = [True] * len(other) if mask is None else mask[b, 0, 0].tolist()
        queries, keys, values = product(text, w_q), product(other, w_k), product(other, w_v)
        texts.append(all_heads(queries, keys, values, w_o, n_heads, lambda i, j, real=real: real[j]))
    return as_tensor(texts, *x.shape)


# %%
def grouped_query(q, k, v, mask=None):
    batch, heads, long, _ = q.shape
    groups, seen, wide = v.shape[1:]
    per_group = heads // groups
    allowed = rule(mask)
    outputs, weights = [], []
    for b in range(batch):
        for h in range(heads):
            g = h // per_group
            o, w = attend(q[b, h].tolist(), k[b, g].tolist(), v[b, g].tolist(), allowed)
            outputs.append(o)
            weights.append(w)
    return as_tensor(outputs, batch, heads, long, wide), as_tensor(weights, batch, heads, long, seen)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    w_q, w_k, w_v, w_o = (w.tolist() for w in (w_q, w_k, w_v, w_o))
    batch, new, width = x.shape
    past = 0 if cache is None else cache[0].shape[1]
    outputs, all_keys, all_values = [], [], []
    for b in range(batch):
        keys = [] if cache is None else cache[0][b].tolist()
        values = [] if cache is None else cache[1][b].tolist()
        text = x[b].tolist()
        keys += product(text, w_k)
        values += product(text, w_v)
        outputs.append(all_heads(product(text, w_q), keys, values, w_o, n_heads, lambda i, j: j <= past + i))
        all_keys.append(keys)
        all_values.append(values)
    shape = batch, past + new, width
    return as_tensor(outputs, batch, new, width), (as_tensor(all_keys, *shape), as_tensor(all_values, *shape))


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    batch, long, d = q.shape
    seen, wide = v.shape[1:]
    root = math.sqrt(d)
    outputs = torch.zeros(batch, long, wide, dtype=torch.float64)
    log_sums = torch.zeros(batch, long, dtype=torch.float64)
    for b in range(batch):
        for first in range(0, long, block_size):
            queries = q[b, first : first + block_size].tolist()
            tops = [-inf] * len(queries)
            totals = [0.0] * len(queries)
            sums = [[0.0] * wide for _ in queries]
            for start in range(0, seen, block_size):
                keys = k[b, start : start + block_size].tolist()
                values = v[b, start : start + block_size].tolist()
                for r, query in enumerate(queries):
                    visible = max(0, min(len(keys), first + r - start + 1)) if causal else len(keys)
                    if visible == 0:
                        continue
                    scores = [dot(query, key) / root for key in keys[:visible]]
                    top = max(tops[r], *scores)
                    correction = math.exp(tops[r] - top)
                    total = totals[r] * correction
                    line = [entry * correction for entry in sums[r]]
                    for score, value in zip(scores, values[:visible], strict=True):
                        factor = math.exp(score - top)
                        total += factor
                        for c, entry in enumerate(value):
                            line[c] += factor * entry
                    tops[r], totals[r], sums[r] = top, total, line
            for r in range(len(queries)):
                outputs[b, first + r] = torch.tensor([entry / totals[r] for entry in sums[r]], dtype=torch.float64)
                log_sums[b, first + r] = tops[r] + math.log(totals[r])
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
