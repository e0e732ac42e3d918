"""Bengio's language model: forward, backward by hand, one step. Not covered: weight decay, a decaying learning rate."""

from dataclasses import fields
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.neural_lm.bengio_weights import BengioWeights
from reference.neural_lm.cross_entropy import cross_entropy_and_gradient
from reference.values import above_zero, finite, token_ids


@checked
def bengio_logits(weights: BengioWeights, contexts: Int64[Tensor, "N n"]) -> Float64[Tensor, "N V"]:
    """Score every token as the next one, from the n tokens before it.

    x = (C[c[1]], …, C[c[n]]), one after the other; y = b + W x + U tanh(d + H x). Without direct connections W x is 0.
    No contexts: an empty (0, V) table.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 2, equation 1.
    Departs from it: n counts the context alone (there: the target too), which is in reading order (there: latest
    first), so the columns of H and W are permuted.

    Args:
        weights: as `initial_bengio_weights` draws them.
        contexts: token ids, oldest first, as `context_windows` cuts them.
    Raises:
        ValueError: an id is not known, the context's length is not the one of the weights, or a score is not finite.

    Cost: O(N·(h·n·m + V·h)) time, with direct connections O(N·V·n·m) more.

    >>> eye = torch.eye(2, dtype=torch.float64)
    >>> weights = BengioWeights(C=eye, H=0 * eye, d=eye[0], U=eye, b=eye[1], W=3 * eye)
    >>> [round(score, 3) for score in bengio_logits(weights, torch.tensor([[1]]))[0].tolist()]
    [0.762, 4.0]
    """
    x, activations = _context_and_hidden(weights, contexts)
    return _scores(weights, x, activations)


@checked
def bengio_loss(
    weights: BengioWeights, contexts: Int64[Tensor, "N n"], targets: Int64[Tensor, " N"]
) -> tuple[Float64[Tensor, ""], BengioWeights]:
    """Mean negative log-likelihood of each next token, and its gradient with respect to every weight.

    With g = (p - one_hot(targets)) / N, a = tanh(d + H x), e = (g U) · (1 - a²) and f = e H + g W (rows are examples):
    ∂b = column sums of g, ∂U = gᵀ a, ∂W = gᵀ x, ∂d = column sums of e, ∂H = eᵀ x, and ∂C[t] = the sum of the pieces of
    f that belong to token t, however often it occurs.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 3 (backward phase).
    Departs from it: mean over the examples instead of one example at a time; no weight decay.

    Args:
        weights: all that is learned.
        contexts: token ids, oldest first.
        targets: the tokens that follow them.
    Returns:
        Loss in nats per token, and gradients in the weights' own shapes (W None where the weights have none).
    Raises:
        ValueError: there is no example, an id is not known, the context's length is not the one of the weights, or a
            score is not finite.

    Cost: O(N·(h·n·m + V·h)) time, with direct connections O(N·V·n·m) more.

    >>> zero = torch.zeros(2, 2, dtype=torch.float64)
    >>> weights = BengioWeights(C=zero, H=zero, d=zero[0], U=zero, b=zero[0], W=None)
    >>> loss, gradients = bengio_loss(weights, torch.tensor([[0]]), torch.tensor([1]))
    >>> round(loss.item(), 6), gradients.b.tolist()                  # log 2
    (0.693147, [0.5, -0.5])
    """
    x, activations = _context_and_hidden(weights, contexts)
    loss, d_scores = cross_entropy_and_gradient(_scores(weights, x, activations), targets)
    d_hidden = (d_scores @ weights.U) * (1 - activations**2)  # (N, h)
    d_x = d_hidden @ weights.H  # (N, x)
    if weights.W is not None:
        d_x = d_x + d_scores @ weights.W
    d_rows = d_x.reshape(contexts.numel(), weights.C.shape[1])  # (N·n, m)
    return loss, BengioWeights(
        C=torch.zeros_like(weights.C).index_add(0, contexts.flatten(), d_rows),
        H=d_hidden.T @ x,
        d=d_hidden.sum(dim=0),
        U=d_scores.T @ activations,
        b=d_scores.sum(dim=0),
        W=None if weights.W is None else d_scores.T @ x,
    )


@checked
def bengio_step(
    weights: BengioWeights, contexts: Int64[Tensor, "N n"], targets: Int64[Tensor, " N"], *, learning_rate: float
) -> tuple[Float64[Tensor, ""], BengioWeights]:
    """Take one step down the gradient.

    θ ← θ - learning_rate · ∂loss/∂θ, for every weight θ at once.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 2.
    Departs from it: mean over the examples given; no weight decay; the learning rate is the caller's to lower.

    Args:
        weights: all that is learned; left as they are.
        contexts: token ids, oldest first.
        targets: the tokens that follow them.
        learning_rate: above 0.
    Returns:
        The loss before the step, and the weights after it.
    Raises:
        ValueError: `learning_rate` is not above 0 and finite, or as `bengio_loss`.

    Cost: as `bengio_loss`, and O(number of weights).

    >>> zero = torch.zeros(2, 2, dtype=torch.float64)
    >>> weights = BengioWeights(C=zero, H=zero, d=zero[0], U=zero, b=zero[0], W=None)
    >>> bengio_step(weights, torch.tensor([[0]]), torch.tensor([1]), learning_rate=0.5)[1].b.tolist()
    [-0.25, 0.25]
    """
    above_zero("learning_rate", learning_rate)
    loss, gradients = bengio_loss(weights, contexts, targets)
    moved: dict[str, Any] = {}
    for field in fields(weights):
        weight, gradient = getattr(weights, field.name), getattr(gradients, field.name)
        moved[field.name] = None if weight is None else weight - learning_rate * gradient
    return loss, BengioWeights(**moved)


def _context_and_hidden(weights: BengioWeights, contexts: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of the context side by side, (N, x), and what the hidden units make of them, (N, h)."""
    n_tokens, width = weights.C.shape
    given, expected = contexts.shape[1] * width, weights.H.shape[1]
    if given != expected:
        raise ValueError(f"contexts: expected n · m = {expected} as H has columns, got {contexts.shape[1]} · {width}")
    token_ids("contexts", contexts, n_tokens)
    x = weights.C[contexts].flatten(start_dim=1)  # (N, n, m): (N, x)
    return x, torch.tanh(weights.d + x @ weights.H.T)


def _scores(weights: BengioWeights, x: Tensor, activations: Tensor) -> Tensor:
    scores = weights.b + activations @ weights.U.T  # (N, V)
    if weights.W is not None:
        scores = scores + x @ weights.W.T
    finite("logits", scores)
    return scores
