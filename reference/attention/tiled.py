"""Tiled attention: the same outputs and gradients as scaled dot-product attention, without its T × S weights.

Covers the running softmax, forward, and the backward pass by recomputation, both by hand. Not covered: skipping tiles
that are masked throughout, dropout, gradients of gradients, speed: this shows what a fast kernel computes.
"""

from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable

from reference.attention.dot_product import root_width
from reference.attention.tiles import Tiling
from reference.checked import checked
from reference.values import finite


@checked
def tiled_attention(
    q: Float64[Tensor, "*B T d"],
    k: Float64[Tensor, "*B S d"],
    v: Float64[Tensor, "*B S e"],
    *,
    block_size: int = 64,
    causal: bool = False,
    window: int | None = None,
    lengths: Int64[Tensor, "*#B"] | None = None,
) -> tuple[Float64[Tensor, "*B T e"], Float64[Tensor, "*B T"]]:
    """Compute `scaled_dot_product` tile by tile, in memory that is flat in T and S but for inputs and results.

    For each block of queries, over the blocks of keys, with scores s of the tile, peak m, total l and outputs o so far:
    m' = max(m, max s), l' = e^(m - m') l + Σ e^(s - m'), o' = (e^(m - m') l o + e^(s - m') v) / l'.
    The log-sum-exp of a query's scores is m + log l at the end. Backward, each tile's weights p = e^(s - m) / l are
    computed again: dv += pᵀ do, ds = p (do vᵀ - Σ do·o + dlse), dq += ds k / √d, dk += dsᵀ q / √d.
    A query that may look nowhere, or S = 0, gives zeros and a log-sum-exp of -inf, and no gradient. T = 0: empty.

    Source: Dao et al. 2022 (arXiv:2205.14135), algorithms 1 and 4; Milakov and Gimelshein 2018 (arXiv:1805.02867),
    algorithm 3.
    Departs from it: queries are the outer loop, as in the forward pass of Dao 2023 (arXiv:2307.08691), here backward
    too; the log-sum-exp is a result and has a gradient; a fully masked query has a value.

    Args:
        q: queries; the last one stands where the last key stands, so query i has position i + S - T.
        k: keys, of the queries' width.
        v: values, one for each key.
        block_size: queries, and keys, of a tile; may be larger than T and S and need not divide them.
        causal: whether position i sees only positions j <= i.
        window: W: position i sees only positions j with i - W < j <= i; None: no limit.
        lengths: how many keys are not padding, one number for each element of the batch; a dimension of 1 stands for
            all, as in (B, 1) for B texts of H heads each. None: all S.
    Returns:
        Outputs, and the log-sum-exp of each query's visible scores.
    Raises:
        ValueError: `block_size` or `window` is below 1, a length is negative or above S, d is 0, or a score or a value
            is not finite.

    Cost: O(B·T·S·(d + e)) time, O(B·block_size²) memory beside inputs, results and their gradients.

    >>> q, k, v = (torch.tensor(rows, dtype=torch.float64) for rows in ([[0.0]] * 3, [[1.0]] * 3, [[3.0], [5.0], [10]]))
    >>> outputs, log_sum_exp = tiled_attention(q, k, v, block_size=2, causal=True)
    >>> outputs.flatten().tolist()                                    # equal scores: the mean of the values so far
    [3.0, 4.0, 6.0]
    >>> log_sum_exp.exp().numpy().round(12)
    array([1., 2., 3.])
    """
    root_width(q)
    finite("v", v)
    tiling = Tiling(q.shape[-2], k.shape[-2], block_size, causal, window, lengths)
    outputs, log_sum_exp = _Tiled.apply(q, k, v, tiling)  # type: ignore[no-untyped-call]  # of torch
    return outputs, log_sum_exp


class _Tiled(torch.autograd.Function):
    """Forward and backward as autograd wants them."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiling: Tiling) -> tuple[Tensor, Tensor]:
        outputs = q.new_zeros(*q.shape[:-1], v.shape[-1])  # (*B, T, e)
        peaks = q.new_full((*q.shape[:-1], 1), -torch.inf)  # (*B, T, 1)
        totals = torch.zeros_like(peaks)  # (*B, T, 1)
        for queries in tiling.query_blocks():
            rows = (..., queries, slice(None))
            for keys in tiling.key_blocks():
                scores, so_far = tiling.scores(q, k, queries, keys), (outputs[rows], peaks[rows], totals[rows])
                outputs[rows], peaks[rows], totals[rows] = _include(*so_far, scores, v[..., keys, :])
        ctx.tiling = tiling
        ctx.save_for_backward(q, k, v, outputs, peaks, totals)
        return outputs, (peaks + totals.log()).squeeze(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_log_sum_exp: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, outputs, peaks, totals = ctx.saved_tensors
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        # what every score of a query loses, since its weights sum to 1; the log-sum-exp's share enters the same way
        common = (d_outputs * outputs).sum(-1, keepdim=True) - d_log_sum_exp[..., None]  # (*B, T, 1)
        for queries in ctx.tiling.query_blocks():
            for keys in ctx.tiling.key_blocks():
                rows, columns = (..., queries, slice(None)), (..., keys, slice(None))
                scores = ctx.tiling.scores(q, k, queries, keys)
                weights = _exponentials(scores, peaks[rows]) / _divisor(totals[rows])  # (*B, r, c)
                d_scores = weights * (d_outputs[rows] @ v[columns].mT - common[rows]) / root_width(q)
                dv[columns] += weights.mT @ d_outputs[rows]
                dq[rows] += d_scores @ k[columns]
                dk[columns] += d_scores.mT @ q[rows]
        return dq, dk, dv, None


def _include(
    outputs: Float64[Tensor, "*B r e"],
    peaks: Float64[Tensor, "*B r 1"],
    totals: Float64[Tensor, "*B r 1"],
    scores: Float64[Tensor, "*B r c"],
    values: Float64[Tensor, "*B c e"],
) -> tuple[Float64[Tensor, "*B r e"], Float64[Tensor, "*B r 1"], Float64[Tensor, "*B r 1"]]:
    """Outputs, peaks and totals of a block of queries after one more block of keys."""
    new_peaks = torch.maximum(peaks, scores.amax(dim=-1, keepdim=True))
    exponentials = _exponentials(scores, new_peaks)  # (*B, r, c)
    kept = totals * _exponentials(peaks, new_peaks)  # what the total so far is worth, seen from the new peak
    new_totals = kept + exponentials.sum(dim=-1, keepdim=True)
    divisor = _divisor(new_totals)
    # divided before they meet the values, whose sum might overflow where the mean does not
    new_outputs = outputs * (kept / divisor) + (exponentials / divisor) @ values
    return new_outputs, new_peaks, new_totals


def _exponentials(scores: Float64[Tensor, "*B r c"], peaks: Float64[Tensor, "*B r 1"]) -> Float64[Tensor, "*B r c"]:
    """e^(s - m), 0 throughout where nothing was visible so far (m = -inf)."""
    return torch.exp(scores - peaks.masked_fill(peaks == -torch.inf, 0.0))


def _divisor(totals: Float64[Tensor, "*B r 1"]) -> Float64[Tensor, "*B r 1"]:
    """The totals, 1 where nothing was visible: zeros stay zeros."""
    return totals.masked_fill(totals == 0, 1.0)
