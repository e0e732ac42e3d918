"""Skip-gram with negative sampling: pairs, loss, gradients by hand, one step.

Not covered: subsampling of frequent words, windows of random size.
"""

from itertools import chain

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import above_zero, at_least, finite, known_ids, token_ids


@checked
def skipgram_pairs(
    sequences: list[list[int]], *, n_tokens: int, window: int, device: torch.device | str | None = None
) -> tuple[Int64[Tensor, " N"], Int64[Tensor, " N"]]:
    """Pair every token with every token at most `window` positions before or after it.

    Order: by sequence, by the centre's position, by the context's position. Pairs never reach into another sequence.
    Their counts are the symmetric, flat co-occurrence table. Length 0 or 1: no pairs.

    Source: Mikolov et al. 2013 (arXiv:1310.4546), equation 1.

    Args:
        sequences: token ids, one list a sentence or document.
        n_tokens: V, 1 or more.
        window: the largest distance, 1 or more.
        device: where the result lies; None: torch's default.
    Returns:
        Centres and their contexts.
    Raises:
        ValueError: `n_tokens` or `window` is below 1, or an id is not known.

    Cost: O(tokens·window).

    >>> centres, contexts = skipgram_pairs([[0, 1, 2]], n_tokens=3, window=1)
    >>> centres.tolist(), contexts.tolist()
    ([0, 1, 1, 2], [1, 0, 2, 1])
    """
    at_least("n_tokens", n_tokens, 1)
    at_least("window", window, 1)
    known_ids("sequences", chain.from_iterable(sequences), n_tokens)
    pairs = [
        (sequence[centre], sequence[context])
        for sequence in sequences
        for centre in range(len(sequence))
        for context in range(max(0, centre - window), min(len(sequence), centre + window + 1))
        if context != centre
    ]
    table = torch.tensor(pairs, dtype=torch.int64, device=device).reshape(-1, 2)  # also when empty
    return table[:, 0], table[:, 1]


@checked
def skipgram_loss(
    inputs: Float64[Tensor, "V m"],
    outputs: Float64[Tensor, "V m"],
    centres: Int64[Tensor, " N"],
    contexts: Int64[Tensor, " N"],
    negatives: Int64[Tensor, "N K"],
) -> tuple[Float64[Tensor, ""], Float64[Tensor, "V m"], Float64[Tensor, "V m"]]:
    """Loss of telling true contexts from drawn ones, and its gradients.

    With v the centre's input vector, u and u[k] the output vectors of context and negatives, σ the logistic function:
    loss = mean over examples of (-log σ(u · v) - sum over k of log σ(-u[k] · v)).
    Gradients of one example: ∂v = (σ(u · v) - 1) u + sum over k of σ(u[k] · v) u[k]; ∂u = (σ(u · v) - 1) v;
    ∂u[k] = σ(u[k] · v) v; each divided by N and added to its token's row, however often the token occurs.
    A negative that equals the context counts as both. K = 0: the first term only. -log σ never overflows.

    Source: Mikolov et al. 2013 (arXiv:1310.4546), equation 4.
    Departs from it: minimised, not maximised; the mean over examples; negatives are given, not an expectation.

    Args:
        inputs: vectors of centres.
        outputs: vectors of contexts.
        centres: token ids.
        contexts: token ids.
        negatives: token ids.
    Returns:
        Loss, gradient of `inputs`, gradient of `outputs`.
    Raises:
        ValueError: there is no example, an id is not known, or a score u · v is not finite.

    Cost: O(N·K·m + V·m) time, O(N·K·m) memory.

    >>> inputs, outputs = torch.zeros(3, 1, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    >>> loss, d_inputs, _ = skipgram_loss(inputs, outputs, *map(torch.tensor, ([0], [1], [[2, 2]])))
    >>> round(loss.item(), 6), d_inputs.tolist()                     # 3 log 2; (σ(0) - 1) + 2 σ(0)
    (2.079442, [[0.5], [0.0], [0.0]])
    """
    at_least("N, the number of examples", len(centres), 1)
    for name, ids in {"centres": centres, "contexts": contexts, "negatives": negatives}.items():
        token_ids(name, ids, len(inputs))
    candidates = torch.cat([contexts[:, None], negatives], dim=1)  # (N, 1 + K): the true context comes first
    v, u = inputs[centres], outputs[candidates]  # (N, m), (N, 1 + K, m)
    scores = (u @ v[:, :, None])[:, :, 0]  # (N, 1 + K)
    finite("scores u · v", scores)
    signs = torch.ones_like(scores)
    signs[:, 1:] = -1
    loss = -_log_sigmoid(signs * scores).sum(dim=1).mean()
    d_scores = -signs * torch.sigmoid(-signs * scores) / len(centres)  # σ(s) - 1 for the true one, σ(s) for the others
    d_v = (d_scores[:, :, None] * u).sum(dim=1)  # (N, m)
    d_u = d_scores[:, :, None] * v[:, None, :]  # (N, 1 + K, m)
    d_inputs = torch.zeros_like(inputs).index_add(0, centres, d_v)
    return loss, d_inputs, torch.zeros_like(outputs).index_add(0, candidates.flatten(), d_u.flatten(end_dim=1))


@checked
def skipgram_step(
    inputs: Float64[Tensor, "V m"],
    outputs: Float64[Tensor, "V m"],
    centres: Int64[Tensor, " N"],
    contexts: Int64[Tensor, " N"],
    negatives: Int64[Tensor, "N K"],
    *,
    learning_rate: float,
) -> tuple[Float64[Tensor, ""], Float64[Tensor, "V m"], Float64[Tensor, "V m"]]:
    """Take one step down the gradient.

    Both tables at once, from the same gradients: table ← table - learning_rate · ∂loss/∂table.

    Source: Mikolov et al. 2013 (arXiv:1310.4546), section 2.2.
    Departs from it: all examples given make one step (word2vec.c takes one step an example).

    Args:
        inputs: vectors of centres; left as they are.
        outputs: vectors of contexts; left as they are.
        centres: token ids.
        contexts: token ids.
        negatives: token ids.
        learning_rate: above 0.
    Returns:
        The loss before the step, and both tables after it.
    Raises:
        ValueError: `learning_rate` is not above 0 and finite, or as `skipgram_loss`.

    Cost: as `skipgram_loss`.

    >>> inputs, outputs = torch.zeros(2, 1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
    >>> ids = torch.tensor([0]), torch.tensor([1]), torch.zeros(1, 0, dtype=torch.int64)
    >>> skipgram_step(inputs, outputs, *ids, learning_rate=0.5)[1].tolist()
    [[0.25], [0.0]]
    """
    above_zero("learning_rate", learning_rate)
    loss, d_inputs, d_outputs = skipgram_loss(inputs, outputs, centres, contexts, negatives)
    return loss, inputs - learning_rate * d_inputs, outputs - learning_rate * d_outputs


def _log_sigmoid(x: Tensor) -> Tensor:
    """log σ(x) = min(x, 0) - log(1 + exp(-|x|)): no exponential exceeds 1."""
    return x.clamp(max=0) - torch.log1p(torch.exp(-x.abs()))
