"""The loss of every language model and its gradient by hand. Not covered: label smoothing, ignored targets."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import at_least, logits, token_ids


@checked
def cross_entropy_and_gradient(
    scores: Float64[Tensor, "N V"], targets: Int64[Tensor, " N"]
) -> tuple[Float64[Tensor, ""], Float64[Tensor, "N V"]]:
    """Mean negative log-likelihood of the targets under the softmax of the scores, and its gradient.

    loss = (1/N) · sum over examples i of (log sum over j of exp(s[i, j]) - s[i, t[i]]).
    gradient[i, j] = (p[i, j] - [j = t[i]]) / N, with p = softmax(s). Scores are shifted by each row's maximum, so no
    exponential exceeds 1.
    A score of -inf means "never": probability 0; as a target it makes the loss infinite, the gradient stays finite.
    V = 1: loss and gradient are 0.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), equations 4.108 and 4.109.
    Departs from it: mean over examples instead of the sum.

    Args:
        scores: logits, finite or -inf.
        targets: token ids.
    Returns:
        Loss in nats per example, and its gradient with respect to the scores.
    Raises:
        ValueError: there is no example, a score is NaN or +inf, a row is -inf throughout, or a target is not known.

    Cost: O(N·V).

    >>> loss, gradient = cross_entropy_and_gradient(torch.zeros(1, 4, dtype=torch.float64), torch.tensor([2]))
    >>> round(loss.item(), 6), gradient.tolist()                     # log 4
    (1.386294, [[0.25, 0.25, -0.75, 0.25]])
    """
    at_least("N, the number of examples", len(targets), 1)
    token_ids("targets", targets, scores.shape[1])
    logits("scores", scores)
    peaks = scores.amax(dim=1, keepdim=True)  # (N, 1)
    if (peaks == -torch.inf).any():
        raise ValueError("scores: expected a finite score in every row, got a row of -inf")
    exponentials = torch.exp(scores - peaks)  # (N, V)
    totals = exponentials.sum(dim=1, keepdim=True)  # (N, 1), at least 1
    rows = torch.arange(len(targets), device=scores.device)
    losses = totals[:, 0].log() + (peaks[:, 0] - scores[rows, targets])  # (N,)
    gradient = exponentials / totals  # (N, V)
    gradient[rows, targets] -= 1
    return losses.mean(), gradient / len(targets)
