"""What a model thinks of tokens: log-probabilities of a completion, entropies. Not covered: sampling, temperature."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import logits as require_logits
from reference.values import token_ids


@checked
def token_logprobs(logits: Float64[Tensor, "B T V"], ids: Int64[Tensor, "B T"]) -> Float64[Tensor, "B T-1"]:
    """Give the log-probability of every token but the first, which nothing predicts.

    logprobs[b, t] = log softmax(logits[b, t])[ids[b, t+1]]: the logits at t are for the token at t + 1; those at the
    last position are for a token that is not there, and unused. A token whose logit is -inf: -inf. T = 1: no columns.

    Source: Radford et al. 2018, Improving Language Understanding by Generative Pre-Training, section 3.1.

    Args:
        logits: finite, or -inf for a token that never comes.
        ids: tokens.
    Raises:
        ValueError: T is 0, a logit is NaN or +inf, all of a position are -inf, or an id is unknown.

    Cost: O(B·T·V).

    >>> token_logprobs(torch.zeros(1, 2, 4, dtype=torch.float64), torch.tensor([[3, 1]])).exp().tolist()
    [[0.25]]
    """
    if not ids.shape[1]:
        raise ValueError("ids: expected at least one position, got 0")
    token_ids("ids", ids, logits.shape[-1])
    logprobs = _log_softmax(logits)[:, :-1]  # (B, T-1, V)
    return logprobs.gather(-1, ids[:, 1:, None]).squeeze(-1)


@checked
def sequence_logprobs(
    logits: Float64[Tensor, "B T V"], ids: Int64[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float64[Tensor, " B"]:
    """Give the log-probability of each completion: the sum over its tokens, marked by the mask.

    log π(y | x) = Σ over t with mask[b, t] of log π(ids[b, t] | ids[b, <t]). Prompt and padding are not marked; the
    first token cannot be. A completion of no token: 0, the logarithm of certainty.

    Source: Radford et al. 2019, Language Models are Unsupervised Multitask Learners, section 2, equation 1 (a text's
    probability is the product over its tokens).
    Departs from it: the product runs over the completion's tokens, given the prompt.

    Args:
        logits: finite, or -inf for a token that never comes.
        ids: prompts, completions and padding.
        mask: true at the tokens of the completion, its end token included.
    Raises:
        ValueError: T is 0, the mask is true at a first token, a logit is NaN or +inf, all of a position are -inf, or an
            id is unknown.

    Cost: O(B·T·V).

    >>> ids, mask = torch.tensor([[3, 1, 2]]), torch.tensor([[False, True, True]])
    >>> sequence_logprobs(torch.zeros(1, 3, 4, dtype=torch.float64), ids, mask).exp().tolist()
    [0.0625]
    """
    if mask[:, :1].any():
        raise ValueError("mask: expected false at the first token, which nothing predicts, got true")
    return token_logprobs(logits, ids).masked_fill(~mask[:, 1:], 0.0).sum(dim=-1)


@checked
def entropies(logits: Float64[Tensor, "*shape V"]) -> Float64[Tensor, "*shape"]:
    """Give the entropy in nats of each next-token distribution: -Σ p log p, with 0 · log 0 = 0.

    From 0, where one token is certain, to log V, where all are equally likely.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 6.

    Args:
        logits: finite, or -inf for a token that never comes.
    Raises:
        ValueError: V is 0, a logit is NaN or +inf, or all of a position are -inf.

    Cost: O(N) for N logits.

    >>> entropies(torch.tensor([[0.0, 0.0], [0.0, -torch.inf]], dtype=torch.float64)).exp().tolist()
    [2.0, 1.0]
    """
    logprobs = _log_softmax(logits)
    return -(logprobs.exp() * logprobs.masked_fill(logprobs == -torch.inf, 0.0)).sum(dim=-1)


def _log_softmax(logits: Float64[Tensor, "*shape V"]) -> Float64[Tensor, "*shape V"]:
    require_logits("logits", logits)
    if not logits.shape[-1] or (logits == -torch.inf).all(dim=-1).any():
        raise ValueError("logits: expected a token above -inf at each position, got none")
    return torch.log_softmax(logits, dim=-1)
