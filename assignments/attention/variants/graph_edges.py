# %% [markdown]
# # Attention: from the dot product to tiles
#
# Attention on a graph: an edge from query t to key s for each pair that may look. Scores, exponentials and weights
# belong to edges; what each query receives is added up over the edges that leave it. A query without edges gets
# nothing.

# %%
import math

import torch

inf = math.inf


# %%
def share(scores, start, n_starts):
    """Scores (B, E) of edges that leave the nodes `start` (E): their weights, which sum to 1 at each node."""
    ends = start.expand_as(scores)
    top = scores.new_full((len(scores), n_starts), -inf).scatter_reduce(1, ends, scores, "amax")
    powers = torch.exp(scores - top.gather(1, ends))
    total = scores.new_zeros(len(scores), n_starts).scatter_add(1, ends, powers)
    return powers / total.gather(1, ends)


def softmax(scores):
    rows = scores.reshape(-1, scores.shape[-1])
    row, column = torch.nonzero(rows > -inf, as_tuple=True)
    weights = torch.zeros_like(rows)
    weights[row, column] = share(rows[row, column][None], row, len(rows))[0]
    return weights.reshape(scores.shape)


# %%
assert softmax(torch.tensor([[-inf, -inf], [-inf, 7]], dtype=torch.float64)).tolist() == [[0, 0], [0, 1]]


# %%
def table(rows, columns, n_rows, n_columns):
    mask = torch.zeros(n_rows, n_columns, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


def causal_mask(n):
    return table(*torch.tril_indices(n, n), n, n)


def padding_mask(lengths, n):
    texts = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    firsts = torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
    return table(texts, torch.arange(len(texts)) - firsts, len(lengths), n)


def sliding_window_mask(n, window):
    mask = torch.zeros(n, n, dtype=torch.bool)
    for back in range(min(n, window)):  # one diagonal after another
        mask.diagonal(-back).fill_(True)
    return mask


# %%
def edges_of(mask, n_queries, n_keys):
    if mask is None:
        mask = torch.ones(n_queries, n_keys, dtype=torch.bool)
    return mask.nonzero(as_tuple=True)


def along(q, k, v, edges):
    """Tables q (B, T, d), k (B, S, d), v (B, S, e): weights of edges (B, E), and outputs (B, T, e)."""
    t, s = edges
    scores = (q[:, t] * k[:, s]).sum(2) / math.sqrt(q.shape[2])
    weights = share(scores, t, q.shape[1])
    return weights, v.new_zeros(len(v), q.shape[1], v.shape[2]).index_add(1, t, weights[..., None] * v[:, s])


def scaled_dot_product(q, k, v, mask=None):
    edges = edges_of(mask, q.shape[1], k.shape[1])
    weights, outputs = along(q, k, v, edges)
    dense = q.new_zeros(len(q), q.shape[1], k.shape[1])
    dense[:, edges[0], edges[1]] = weights
    return outputs, dense


# %%
def as_batch(rows, n_heads):
    """(B, T, D) -> (B H, T, D / H): each head is a text of its own."""
    return torch.cat([text.unflatten(1, (n_heads, -1)).transpose(0, 1) for text in rows])


def as_columns(rows, n_heads):
    return torch.stack([torch.cat(tuple(heads), dim=1) for heads in rows.split(n_heads)])


def heads(q, k, v, w_o, n_heads, edges):
    _, outputs = along(*(as_batch(rows, n_heads) for rows in (q, k, v)), edges)
    return as_columns(outputs, n_heads) @ w_o


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    length = x.shape[1]
    edges = torch.tril_indices(length, length) if causal else edges_of(None, length, length)
    return heads(x @ w_q, x @ w_k, x @ w_v, w_o, n_heads, tuple(edges))


def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    outputs = []
    for b in range(len(x)):  # texts have different edges
        real = torch.arange(memory.shape[1]) if mask is None else mask[b].flatten().nonzero().flatten()
        edges = torch.cartesian_prod(torch.arange(x.shape[1]), real).unbind(1)
        text, other = x[b : b + 1], memory[b : b + 1]
        outputs.append(heads(text @ w_q, other @ w_k, other @ w_v, w_o, n_heads, edges))
    return torch.cat(outputs)


# %%
memory = torch.tensor([[[2, 0], [4, 6]]], dtype=torch.float64)
identity = torch.eye(2, dtype=torch.float64)
for length, expected in ((2, [3, 3]), (1, [2, 0]), (0, [0, 0])):
    mask = padding_mask(torch.tensor([length]), 2)[:, None, None, :]
    assert cross_attention(memory[:, :1] * 0, memory, *[identity] * 4, 1, mask).tolist() == [[expected]]


# %%
def grouped_query(q, k, v, mask=None):
    """One text and one group at a time; its heads of queries are a batch that shares keys."""
    batch, n_heads, length, _ = q.shape
    groups, n_keys = k.shape[1:3]
    outputs = q.new_zeros(batch, n_heads, length, v.shape[3])
    weights = q.new_zeros(batch, n_heads, length, n_keys)
    for b in range(batch):
        for g, members in enumerate(torch.arange(n_heads).split(n_heads // groups)):
            shared = k[b, g].expand(len(members), -1, -1), v[b, g].expand(len(members), -1, -1)
            outputs[b, members], weights[b, members] = scaled_dot_product(q[b, members], *shared, mask)
    return outputs, weights


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    keys, values = x @ w_k, x @ w_v
    if cache is not None:
        keys, values = (torch.cat(pair, dim=1) for pair in zip(cache, (keys, values), strict=True))
    past = keys.shape[1] - x.shape[1]
    edges = torch.tril_indices(x.shape[1], keys.shape[1], offset=past)
    return heads(x @ w_q, keys, values, w_o, n_heads, tuple(edges)), (keys, values)


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs, log_sums = q.new_empty(*q.shape[:2], v.shape[2]), q.new_empty(*q.shape[:2])
    for i in range(0, q.shape[1], block_size):
        queries = q[:, i : i + block_size]
        batch, rows, d = queries.shape
        m, total = q.new_full((batch, rows), -inf), q.new_zeros(batch, rows)
        u = q.new_zeros(batch, rows, v.shape[2])
        for j in range(0, i + rows if causal else k.shape[1], block_size):
            keys, values = k[:, j : j + block_size], v[:, j : j + block_size]
            near = causal and j + keys.shape[1] > i  # some of the pairs of this tile are not edges
            t, s = (
                torch.tril_indices(rows, keys.shape[1], offset=i - j) if near else edges_of(None, rows, keys.shape[1])
            )
            scores = (queries[:, t] * keys[:, s]).sum(2) / math.sqrt(d)
            higher = m.scatter_reduce(1, t.expand_as(scores), scores, "amax")
            powers = torch.exp(scores - higher[:, t])
            old = torch.exp(m - higher)
            total = (total * old).index_add(1, t, powers)
            u = (u * old[..., None]).index_add(1, t, powers[..., None] * values[:, s])
            m = higher
        outputs[:, i : i + rows], log_sums[:, i : i + rows] = u / total[..., None], m + torch.log(total)
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert outputs.flatten().tolist() == [3, 4, 6]
assert torch.allclose(log_sums.exp(), torch.tensor([[1, 2, 3]], dtype=torch.float64))
