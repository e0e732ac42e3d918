"""Perplexity and bits per byte, from the log-probabilities of the tokens that really came.

Not covered: cutting a long text into windows (`windows`), asking a model (`choice`).
"""

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import at_least, logits, token_ids


@checked
def token_log_probabilities(
    scores: Float64[Tensor, "*B T V"], targets: Int64[Tensor, "*B T"]
) -> Float64[Tensor, "*B T"]:
    """Gather each target's log-probability from the logits of its position.

    log p(t) = s[t] - log(sum over v of exp s[v]), computed after subtracting the row's maximum.

    Source: Blanchard, Higham and Higham 2021, IMA Journal of Numerical Analysis 41(4) (the shifted log-sum-exp).

    Args:
        scores: logits, finite or -inf (the token cannot come).
        targets: the token that came at each position.
    Returns:
        Natural logarithms; -inf where the target cannot come.
    Raises:
        ValueError: a logit is NaN or +inf, a row has nothing but -inf, a target is not a token id.

    Cost: O(B·T·V).

    >>> token_log_probabilities(torch.zeros(1, 4, dtype=torch.float64), torch.tensor([2])).exp().tolist()
    [0.25]
    """
    logits("scores", scores)
    token_ids("targets", targets, n_tokens=scores.shape[-1])
    if (scores == -torch.inf).all(dim=-1).any():
        raise ValueError("scores: expected a token that can come at each position, got a row of -inf")
    return scores.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)


@checked
def perplexity(log_probabilities: Float64[Tensor, " n"]) -> float:
    """Say between how many equally likely tokens the model hesitated.

    perplexity = exp(-(1/n) · sum of log p). A token that the model called impossible gives infinity.

    Source: Jelinek, Mercer, Bahl and Baker 1977, Journal of the Acoustical Society of America 62(S1).

    Args:
        log_probabilities: natural logarithms, one for each scored token.
    Raises:
        ValueError: no token, or a log-probability is NaN or above 0.

    Cost: O(n).

    >>> round(perplexity(torch.tensor([0.5, 0.125], dtype=torch.float64).log()), 12)
    4.0
    """
    _held(log_probabilities)
    return float(torch.exp(-log_probabilities.detach().mean()))


@checked
def bits_per_byte(log_probabilities: Float64[Tensor, " n"], text: str) -> float:
    """Say how many bits the model needs for a byte of the text: comparable across tokenizers.

    bits per byte = -(sum of log2 p) / (number of UTF-8 bytes of the text).

    Source: Gao et al. 2020 (arXiv:2101.00027), section 3.1.

    Args:
        log_probabilities: natural logarithms of all tokens of `text`, start or end tokens included where scored.
        text: what was scored, untouched.
    Raises:
        ValueError: no token, an empty text, or a log-probability is NaN or above 0.

    Cost: O(n + bytes).

    >>> bits_per_byte(torch.tensor([2.0**-16], dtype=torch.float64).log(), text="é")    # two bytes
    8.0
    """
    _held(log_probabilities)
    n_bytes = len(text.encode())
    at_least("bytes of text", n_bytes, 1)
    return float(-log_probabilities.detach().sum() + 0.0) / math.log(2) / n_bytes  # + 0.0: no -0.0


def _held(log_probabilities: Float64[Tensor, " n"]) -> None:
    at_least("n", len(log_probabilities), 1)
    wrong = log_probabilities[~(log_probabilities <= 0)]
    if len(wrong):
        raise ValueError(f"log_probabilities: expected 0 or less, got {wrong[0].item()}")
