# %% [markdown]
# # Attention: from the dot product to tiles
#
# PyTorch tensors, batched: heads are a view, masks are booleans that broadcast, results are filled in place.

# %%
import math

import torch

inf = math.inf


# %%
def softmax(scores):
    top = scores.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float64).min)
    powers = (scores - top).exp()
    return powers / powers.sum(dim=-1, keepdim=True).clamp(min=0.5)  # the sum is 0, or at least 1


# %%
assert softmax(torch.tensor([[-inf, -inf], [0, -inf]], dtype=torch.float64)).tolist() == [[0, 0], [1, 0]]


# %%
def causal_mask(n):
    return torch.ones(n, n, dtype=torch.bool).tril()


# %%
def padding_mask(lengths, n):
    return torch.arange(n).expand(len(lengths), n) < lengths.unsqueeze(1)


# %%
def sliding_window_mask(n, window):
    return torch.ones(n, n, dtype=torch.bool).tril().triu(1 - window)


# %%
def scaled_dot_product(q, k, v, mask=None):
    scores = torch.matmul(q, k.transpose(-2, -1)).div_(math.sqrt(q.size(-1)))
    if mask is not None:
        scores.masked_fill_(~mask, -inf)
    weights = softmax(scores)
    return weights.matmul(v), weights


# %%
def heads_first(rows, n_heads):
    return rows.view(rows.size(0), rows.size(1), n_heads, -1).transpose(1, 2)


def heads_last(heads):
    return heads.transpose(1, 2).flatten(2)


def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    # the three products at once
    q, k, v = (heads_first(part, n_heads) for part in (x @ torch.cat((w_q, w_k, w_v), 1)).split(x.size(2), 2))
    mask = causal_mask(x.size(1)) if causal else None
    return heads_last(scaled_dot_product(q, k, v, mask)[0]) @ w_o


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    q, k, v = heads_first(x @ w_q, n_heads), heads_first(memory @ w_k, n_heads), heads_first(memory @ w_v, n_heads)
    return heads_last(scaled_dot_product(q, k, v, mask)[0]) @ w_o


# %%
def grouped_query(q, k, v, mask=None):
    copies = q.size(1) // k.size(1)
    return scaled_dot_product(q, k.repeat_interleave(copies, dim=1), v.repeat_interleave(copies, dim=1), mask)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    keys, values = x @ w_k, x @ w_v
    if cache is not None:
        keys, values = torch.cat((cache[0], keys), dim=1), torch.cat((cache[1], values), dim=1)
    q, k, v = heads_first(x @ w_q, n_heads), heads_first(keys, n_heads), heads_first(values, n_heads)
    # the last rows of the causal mask of the whole text
    mask = causal_mask(keys.size(1))[-x.size(1) :]
    return heads_last(scaled_dot_product(q, k, v, mask)[0]) @ w_o, (keys, values)


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    outputs = q.new_zeros(q.size(0), q.size(1), v.size(2))
    log_sums = q.new_full(q.shape[:2], -inf)
    root = math.sqrt(q.size(2))
    # keys outside, queries inside: the state of every query lives in the results themselves
    for start in range(0, k.size(1), block_size):
        keys, values = k[:, start : start + block_size], v[:, start : start + block_size]
        for first in range(start if causal else 0, q.size(1), block_size):
            out, log = outputs[:, first : first + block_size], log_sums[:, first : first + block_size]
            scores = torch.bmm(q[:, first : first + block_size], keys.mT) / root
            if causal and first == start:
                scores.masked_fill_(~causal_mask(scores.size(1)), -inf)
            top = torch.maximum(log, scores.amax(2))
            powers = (scores - top.unsqueeze(2)).exp_()
            old = (log - top).exp_()
            total = old + powers.sum(2)
            # out holds means, not sums: it weighs what the queries have seen so far
            out.mul_((old / total).unsqueeze(2)).add_(torch.bmm(powers, values) / total.unsqueeze(2))
            log.copy_(top + total.log())
    return outputs, log_sums


# %%
q, k = torch.zeros(1, 3, 1, dtype=torch.float64), torch.ones(1, 3, 1, dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
outputs, log_sums = tiled_attention(q, k, v, block_size=2, causal=True)
assert torch.allclose(outputs.flatten(), torch.tensor([3, 4, 6], dtype=torch.float64))
assert torch.allclose(log_sums.exp().flatten(), torch.tensor([1, 2, 3], dtype=torch.float64))
