"""Training an adapter by plain gradient descent, from an exact start to an exact end. Not covered: other optimisers."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.finetuning.functional.low_rank import lora_forward
from reference.finetuning.loss import answer_loss
from reference.values import above_zero, at_least, finite, token_ids


@checked
def train_lora(
    features: Float64[Tensor, "V D"],
    weight: Float64[Tensor, "V D"],
    a: Float64[Tensor, "r D"],
    b: Float64[Tensor, "V r"],
    alpha: float,
    ids: Int64[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    learning_rate: float,
    n_steps: int,
) -> tuple[Float64[Tensor, "r D"], Float64[Tensor, "V r"]]:
    """Adapt the head of a frozen language model to the answers of a batch: A and B move, nothing else.

    The model: logits[b, t] = W x + (alpha / r) · B A x for the frozen features x = features[ids[b, t]] of the last
    token. Each step takes the gradients of `answer_loss` over the whole batch at the present A and B, and then moves
    both: A - learning_rate · ∂loss/∂A, B - learning_rate · ∂loss/∂B. With B = 0, the first step leaves A where it is.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1.
    Departs from it: plain gradient descent instead of Adam, so that the end is a function of the start.

    Args:
        features: one row a token: what the frozen body makes of it.
        weight: W, the frozen head: one row a token.
        a: A, where it starts.
        b: B, where it starts.
        alpha: finite, above 0.
        ids: tokens.
        mask: true at the tokens to learn, see `answer_loss`.
        learning_rate: finite, above 0.
        n_steps: 0 or more.
    Returns:
        A and B after the last step; after none, as they were given.
    Raises:
        ValueError: a number is out of range, an id is unknown, the mask is true at a first token or nowhere, or the
            descent diverges to infinity.

    Cost: O(n_steps·B·T·V·(D + r)) time.

    >>> features, weight = torch.eye(2, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
    >>> a, b = torch.ones(1, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    >>> ids, mask = torch.tensor([[0, 1]]), torch.tensor([[False, True]])
    >>> a, b = train_lora(features, weight, a, b, 2.0, ids, mask, learning_rate=1.0, n_steps=1)
    >>> a.tolist(), b.tolist()                                         # 2 · (p - one-hot) = 2 · (0.5, -0.5)
    ([[1.0, 1.0]], [[-1.0], [1.0]])
    """
    above_zero("learning_rate", learning_rate)
    at_least("n_steps", n_steps, 0)
    token_ids("ids", ids, len(features))
    for _ in range(n_steps):
        start_a, start_b = a.detach().requires_grad_(), b.detach().requires_grad_()
        logits = lora_forward(features[ids], weight, start_a, start_b, alpha)  # (B, T, V)
        gradients = torch.autograd.grad(answer_loss(logits, ids, mask), (start_a, start_b))
        a, b = (
            (value - learning_rate * gradient).detach()
            for value, gradient in zip((start_a, start_b), gradients, strict=True)
        )
        finite("A after a step", a)
        finite("B after a step", b)
    return a, b
