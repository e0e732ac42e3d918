"""Multiple choice without generating: the answer whose text the model finds most likely.

Not covered: prompts (`prompts`), tokenisation of context and continuation, which may differ from that of the whole.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.evaluation.likelihood import token_log_probabilities
from reference.values import at_least


@checked
def continuation_log_probabilities(
    model: Callable[[Int64[Tensor, "1 T"]], Float64[Tensor, "1 T V"]],
    context: Int64[Tensor, " c"],
    continuation: Int64[Tensor, " n"],
) -> Float64[Tensor, " n"]:
    """Ask the model for the log-probability of each token of a continuation.

    Entry i is log p(continuation[i] | context, continuation[:i]); their sum is the continuation's log-likelihood.

    Source: Brown et al. 2020 (arXiv:2005.14165), section 2.4.

    Args:
        model: from ids (1, T) to logits (1, T, V); position t predicts id t + 1.
        context: what stands before; a start token at least.
        continuation: what is scored; empty: nothing.
    Raises:
        ValueError: the context is empty, or the model's logits are NaN, +inf, too narrow for an id or not of shape
            (1, T, V).

    Cost: one call of the model on c + n - 1 ids.

    >>> favours_next = lambda ids: 9.0 * torch.eye(4, dtype=torch.float64)[(ids + 1) % 4]
    >>> continuation_log_probabilities(favours_next, torch.tensor([0]), torch.tensor([1, 2])).exp().min().item() > 0.99
    True
    """
    at_least("length of context", len(context), 1)
    if len(continuation) == 0:
        return torch.empty(0, dtype=torch.float64, device=context.device)
    ids = torch.cat([context, continuation])
    scores = model(ids[None, :-1])  # (1, T, V)
    if scores.shape[:-1] != (1, len(ids) - 1):
        raise ValueError(f"logits: expected shape (1, {len(ids) - 1}, V), got {tuple(scores.shape)}")
    return token_log_probabilities(scores[0, -len(continuation) :], continuation)


@checked
def choose(log_likelihoods: Float64[Tensor, " C"], lengths: Int64[Tensor, " C"] | None = None) -> int:
    """Choose the most likely answer, plain or by length.

    Plain: argmax of log-likelihood. Normalised: argmax of log-likelihood / length, so that long answers are not
    punished for having more tokens. Ties: the first of the best.

    Source: Brown et al. 2020 (arXiv:2005.14165), section 2.4.
    Departs from it: length is what the caller counts, such as characters (lm-eval's acc_norm) or bytes
    (acc_bytes), not tokens only.

    Args:
        log_likelihoods: one for each answer, -inf allowed.
        lengths: of each answer, 1 or more; None: plain.
    Returns:
        The index of the answer.
    Raises:
        ValueError: no answer, a NaN, a log-likelihood above 0, or a length below 1.

    Cost: O(C).

    >>> answers = torch.tensor([-4.0, -3.0], dtype=torch.float64)
    >>> choose(answers), choose(answers, torch.tensor([4, 2]))
    (1, 0)
    """
    at_least("C", len(log_likelihoods), 1)
    wrong = log_likelihoods[~(log_likelihoods <= 0)]
    if len(wrong):
        raise ValueError(f"log_likelihoods: expected 0 or less, got {wrong[0].item()}")
    if lengths is None:
        return _first_best(log_likelihoods)
    at_least("lengths", int(lengths.min()), 1)
    return _first_best(log_likelihoods / lengths)


def _first_best(scores: Float64[Tensor, " C"]) -> int:
    """Torch's argmax does not promise which of equal entries it takes."""
    return int((scores == scores.max()).nonzero()[0])
