"""The smallest neural language model: a one-hot token, one matrix, a softmax. Not covered: bias, regularisation."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.neural_lm.cross_entropy import cross_entropy_and_gradient
from reference.values import at_least, logits, token_ids


@checked
def one_hot(ids: Int64[Tensor, " N"], *, n_tokens: int) -> Float64[Tensor, "N V"]:
    """Write each id as a row of zeros with a single one.

    y[i, j] = 1 where j = ids[i], else 0. No ids: an empty (0, V) table.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), section 2.2 (1-of-K scheme).

    Args:
        ids: token ids.
        n_tokens: V, 1 or more.
    Raises:
        ValueError: `n_tokens` is below 1, or an id is not known.

    Cost: O(N·V).

    >>> one_hot(torch.tensor([2, 0]), n_tokens=3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    at_least("n_tokens", n_tokens, 1)
    token_ids("ids", ids, n_tokens)
    return (ids[:, None] == torch.arange(n_tokens, device=ids.device)).double()  # (N, 1) == (V,): (N, V)


@checked
def linear_logits(weights: Float64[Tensor, "V V"], ids: Int64[Tensor, " N"]) -> Float64[Tensor, "N V"]:
    """Score every token as the next one, from the current token alone.

    logits = one_hot(ids) W, which picks row ids[i] of W for example i. The row is looked up instead of multiplied for,
    because W may hold -inf ("never"), and 0 · (-inf) has no value.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4 (multiclass logistic regression).

    Args:
        weights: W, one row of scores for each current token; finite or -inf.
        ids: the current tokens.
    Raises:
        ValueError: an id is not known, or a weight is NaN or +inf.

    Cost: O(N·V + V²).

    >>> W = torch.tensor([[0.0, 1.0], [2.0, -torch.inf]], dtype=torch.float64)
    >>> linear_logits(W, torch.tensor([1, 0, 1])).tolist()
    [[2.0, -inf], [0.0, 1.0], [2.0, -inf]]
    """
    token_ids("ids", ids, len(weights))
    logits("weights", weights)
    return weights[ids]


@checked
def linear_loss(
    weights: Float64[Tensor, "V V"], ids: Int64[Tensor, " N"], targets: Int64[Tensor, " N"]
) -> tuple[Float64[Tensor, ""], Float64[Tensor, "V V"]]:
    """Mean negative log-likelihood of each next token, and its gradient with respect to the weights.

    loss = cross-entropy of p = softmax(one_hot(ids) W) and the targets.
    gradient = one_hot(ids)ᵀ (p - one_hot(targets)) / N.
    Rows of tokens that do not occur in `ids` have gradient 0.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), equations 4.108 and 4.109.
    Departs from it: mean over examples instead of the sum.

    Args:
        weights: W, finite or -inf.
        ids: the current tokens.
        targets: the tokens that follow them.
    Returns:
        Loss in nats per token, and its gradient.
    Raises:
        ValueError: there is no example, an id is not known, a weight is NaN or +inf, or a row in use is
            -inf throughout.

    Cost: O(N·V²).

    >>> loss, gradient = linear_loss(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 0]), torch.tensor([1, 1]))
    >>> round(loss.item(), 6), gradient.tolist()                     # log 2
    (0.693147, [[0.5, -0.5], [0.0, 0.0]])
    """
    loss, d_scores = cross_entropy_and_gradient(linear_logits(weights, ids), targets)
    return loss, one_hot(ids, n_tokens=len(weights)).T @ d_scores  # (V, N) @ (N, V)
