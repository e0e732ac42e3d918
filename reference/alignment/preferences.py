"""Pairs of answers, one preferred: the Bradley–Terry loss of their scores. Not covered: ties, rankings of many."""

import torch
from jaxtyping import Float64
from torch import Tensor

from reference.checked import checked
from reference.values import finite


@checked
def log_sigmoid(x: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """Give log σ(x) = -log(1 + exp(-x)) without overflow: min(x, 0) - log1p(exp(-|x|)).

    Far to the right -exp(-x), far to the left x, neither rounded to 0 nor to -inf. The gradient is σ(-x) everywhere,
    1/2 at x = 0. σ(-∞) = 0 gives -inf, and σ(∞) = 1 gives 0; gradients there are not defined.

    Source: Mächler 2012, Accurately Computing log(1 - exp(-|a|)), a vignette of the R package Rmpfr, equation 10.
    Departs from it: one formula for every x, without cut-offs.

    Args:
        x: finite or infinite.
    Raises:
        ValueError: an entry is NaN.

    Cost: O(N) for N entries.

    >>> log_sigmoid(torch.tensor([-1000.0, 1000.0], dtype=torch.float64)).tolist()
    [-1000.0, -0.0]
    >>> log_sigmoid(torch.zeros(1, dtype=torch.float64)).exp().tolist()
    [0.5]
    """
    if x.isnan().any():
        raise ValueError("x: expected numbers, got nan")
    return -torch.logaddexp(torch.zeros_like(x), -x)  # its gradient at 0 is 1/2; through min and |x| it need not be


@checked
def pairwise_losses(
    chosen: Float64[Tensor, " B"], rejected: Float64[Tensor, " B"], margin: Float64[Tensor, " B"] | None = None
) -> Float64[Tensor, " B"]:
    """Give the loss of each pair: -log of the probability that the chosen answer beats the rejected one.

    loss = -log σ(chosen - rejected - margin). Equal scores without margin: log 2. The mean over pairs is what a reward
    model minimises; adding a constant to all scores changes nothing. No pair: no loss.

    Source: Bradley and Terry 1952, Biometrika 39(3/4); Stiennon et al. 2020 (arXiv:2009.01325), section 3.4; the margin
    from Touvron et al. 2023 (arXiv:2307.09288), equation 2.

    Args:
        chosen: score of each preferred answer.
        rejected: score of the other one.
        margin: by how much the chosen one should win; None: 0.
    Raises:
        ValueError: a score, a margin or a difference of two is not finite.

    Cost: O(B).

    >>> scores = torch.tensor([0.0], dtype=torch.float64)
    >>> pairwise_losses(scores, scores).neg().exp().tolist()
    [0.5]
    """
    finite("chosen", chosen)
    finite("rejected", rejected)
    differences = chosen - rejected  # (B,)
    finite("chosen - rejected", differences)
    if margin is None:
        return -log_sigmoid(differences)
    finite("margin", margin)
    finite("chosen - rejected - margin", differences - margin)
    return -log_sigmoid(differences - margin)


@checked
def preference_accuracy(chosen: Float64[Tensor, " B"], rejected: Float64[Tensor, " B"]) -> float:
    """Give the share of pairs whose chosen answer has the higher score. A tie is no win.

    Works for a reward model's scores and for the implicit rewards of DPO.

    Source: Stiennon et al. 2020 (arXiv:2009.01325), section 4.3 (agreement of the reward model with people).

    Args:
        chosen: score of each preferred answer.
        rejected: score of the other one.
    Raises:
        ValueError: there is no pair, or a score is not finite.

    Cost: O(B).

    >>> chosen, rejected = torch.tensor([[1.0, 2.0, 0.0, 5.0], [0.0, 3.0, 0.0, 4.0]], dtype=torch.float64)
    >>> preference_accuracy(chosen, rejected)
    0.5
    """
    if not len(chosen):
        raise ValueError("chosen: expected at least one pair, got 0")
    finite("chosen", chosen)
    finite("rejected", rejected)
    return (chosen > rejected).sum().item() / len(chosen)
