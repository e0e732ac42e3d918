"""From logits to probabilities, and one token out of them. Not covered: Gumbel noise, several draws at once."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference import values
from reference.attention import softmax
from reference.checked import checked


@checked
def token_probabilities(logits: Float64[Tensor, "*B V"]) -> Float64[Tensor, "*B V"]:
    """Turn each row of logits into the distribution of the next token.

    p[v] = exp(l[v] - m) / Σ_u exp(l[u] - m), with m = max over u of l[u], so that no exponential exceeds 1. A logit of
    -inf is a token that never comes, of probability exactly 0.

    Source: Bridle 1990, Probabilistic Interpretation of Feedforward Classification Network Outputs (softmax).

    Args:
        logits: finite or -inf.
    Returns:
        Rows that sum to 1.
    Raises:
        ValueError: V = 0, a logit is NaN or +inf, or all logits of a row are -inf.

    Cost: O(B·V).

    >>> token_probabilities(torch.tensor([1e308, 1e308, -1e308], dtype=torch.float64)).tolist()
    [0.5, 0.5, 0.0]
    """
    require_possible(logits)
    return softmax(logits)


@checked
def log_probabilities(logits: Float64[Tensor, "*B V"]) -> Float64[Tensor, "*B V"]:
    """Turn each row of logits into log-probabilities of the next token.

    log p[v] = (l[v] - m) - log Σ_u exp(l[u] - m), with m = max over u of l[u]. A logit of -inf stays -inf.

    Source: Blanchard, Higham and Higham 2021, IMA Journal of Numerical Analysis 41(4) (the shifted formula).

    Args:
        logits: finite or -inf.
    Raises:
        ValueError: V = 0, a logit is NaN or +inf, or all logits of a row are -inf.

    Cost: O(B·V).

    >>> log_probabilities(torch.tensor([1e308, -1e308, -torch.inf], dtype=torch.float64)).tolist()
    [0.0, -inf, -inf]
    """
    require_possible(logits)
    shifted = logits - logits.amax(dim=-1, keepdim=True)
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


@checked
def greedy(logits: Float64[Tensor, "*B V"]) -> Int64[Tensor, "*B"]:
    """Take the most probable token of each row. Ties: the lowest id.

    Source: Holtzman et al. 2020 (arXiv:1904.09751), section 3 (maximisation-based decoding, one token at a time).
    Departs from it: ties are decided.

    Args:
        logits: finite or -inf.
    Raises:
        ValueError: V = 0, a logit is NaN or +inf, or all logits of a row are -inf.

    Cost: O(B·V).

    >>> greedy(torch.tensor([[0.0, 2.0, 2.0], [1.0, 0.0, 0.0]], dtype=torch.float64)).tolist()
    [1, 0]
    """
    require_possible(logits)
    return logits.argmax(dim=-1)  # the first of several maxima, as torch documents


@checked
def draw(probabilities: Float64[Tensor, "*B V"], generator: torch.Generator) -> Int64[Tensor, "*B"]:
    """Draw one token from each row, by inverting the cumulative distribution.

    With one uniform number u from [0, 1) a row and c[v] = p[0] + … + p[v]: the lowest id v with c[v] > u · c[V - 1]. So
    a token of probability 0 is never drawn, and rounding of the sum gives no token an edge. The numbers are drawn on
    the generator's device, row by row, and the sums are taken on the CPU in the order of ids: the same generator state
    gives the same tokens, wherever the probabilities are.

    Source: Devroye 1986, Non-Uniform Random Variate Generation, section III.2 (inversion by sequential search).

    Args:
        probabilities: rows that sum to 1.
        generator: the one source of randomness.
    Raises:
        ValueError: V = 0, or a row is not a distribution.

    Cost: O(B·V).

    >>> draw(torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64), torch.Generator()).tolist()
    [1, 0]
    """
    require_vocabulary(probabilities)
    values.distribution("probabilities", probabilities)
    cumulative = probabilities.cpu().cumsum(dim=-1)  # (*B, V)
    uniform = torch.rand(
        probabilities.shape[:-1], generator=generator, device=generator.device, dtype=torch.float64
    ).cpu()
    threshold = uniform * cumulative[..., -1]  # (*B,): below the total, since u is below 1 by half a unit or more
    return (cumulative <= threshold[..., None]).sum(dim=-1).to(probabilities.device)


def require_possible(logits: Float64[Tensor, "*B V"]) -> None:
    """Hold every row to logits of which at least one is finite.

    Raises:
        ValueError: V = 0, a logit is NaN or +inf, or all logits of a row are -inf.
    """
    require_vocabulary(logits)
    values.logits("logits", logits)
    if (logits == -torch.inf).all(dim=-1).any():
        raise ValueError("logits: expected at least one token that is possible, got -inf throughout a row")


def require_vocabulary(rows: Float64[Tensor, "*B V"]) -> None:
    """Hold V to 1 or more."""
    if rows.shape[-1] == 0:
        raise ValueError("vocabulary: expected 1 token or more, got 0")
