"""Temperature, top-k and top-p: logits in, logits out, where -inf means that the token cannot be drawn.

Not covered: min-p, typical and eta sampling, top-k over several steps.
"""

import sys

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from reference.checked import checked
from reference.sampling.distribution import greedy, require_possible, token_probabilities


@checked
def with_temperature(logits: Float64[Tensor, "*B V"], temperature: float | int) -> Float64[Tensor, "*B V"]:
    """Sharpen (below 1) or flatten (above 1) the distribution of each row.

    l[v] ← (l[v] - m) / t, with m = max over u of l[u]: the largest logit becomes 0, which changes no probability, and
    nothing overflows to +inf, however small t is. t = 0 is greedy: the token that `greedy` takes gets 0, all others
    -inf; for t above 0 tied tokens stay tied.

    Source: Ackley, Hinton and Sejnowski 1985, A Learning Algorithm for Boltzmann Machines, section 2.2.
    Departs from it: the logits are shifted; zero is allowed.

    Args:
        logits: finite or -inf.
        temperature: t, finite, 0 or more.
    Raises:
        ValueError: t is negative, infinite or NaN, V = 0, a logit is NaN or +inf, or all logits of a row are -inf.

    Cost: O(B·V).

    >>> logits = torch.tensor([1.0, 3.0, 3.0, -1e308], dtype=torch.float64)
    >>> with_temperature(logits, 0.5)[:3].tolist(), with_temperature(logits, 0).tolist()
    ([-4.0, 0.0, 0.0], [-inf, 0.0, -inf, -inf])
    """
    if not 0 <= temperature <= sys.float_info.max:
        raise ValueError(f"temperature: expected a finite number, 0 or more, got {temperature}")
    require_possible(logits)
    if temperature == 0:
        best = greedy(logits)[..., None]  # (*B, 1)
        return torch.full_like(logits, -torch.inf).scatter(-1, best, 0.0)
    divisor = torch.tensor(float(temperature), dtype=logits.dtype, device=logits.device)  # CUDA inverts plain numbers
    peak = logits.amax(dim=-1, keepdim=True)
    below_peak = logits - peak
    halved = logits / 2 - peak / 2  # within range for all finite logits, but subnormal ones lose a bit
    return torch.where(below_peak.isinf(), 2 * (halved / divisor), below_peak / divisor)


@checked
def top_k(logits: Float64[Tensor, "*B V"], k: int) -> Float64[Tensor, "*B V"]:
    """Keep the k most probable tokens of each row, at their logits; all others become -inf.

    Exactly k tokens are kept. Ties at the threshold: lower ids are kept first, so that k = 1 is greedy. Among the k may
    be tokens that are -inf already.

    Source: Fan, Lewis and Dauphin 2018 (arXiv:1805.04833), section 5.4 (drawing from the k most probable).
    Departs from it: ties are decided.

    Args:
        logits: finite or -inf.
        k: from 1 to V.
    Raises:
        ValueError: k is below 1 or above V, V = 0, a logit is NaN or +inf, or all logits of a row are -inf.

    Cost: O(B·V·log V).

    >>> top_k(torch.tensor([1.0, 3.0, 2.0, 2.0], dtype=torch.float64), k=2).tolist()
    [-inf, 3.0, 2.0, -inf]
    """
    require_possible(logits)
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"k: expected 1 to {logits.shape[-1]}, the vocabulary, got {k}")
    ranks = _ranking(logits).argsort(dim=-1)  # (*B, V): place of each token, 0 for the most probable
    return logits.masked_fill(ranks >= k, -torch.inf)


@checked
def top_p(logits: Float64[Tensor, "*B V"], p: float | int) -> Float64[Tensor, "*B V"]:
    """Keep the smallest set of most probable tokens of each row whose mass reaches p; all others become -inf.

    Tokens are taken in order of falling probability until the mass taken is p or more. Ties: lower ids come first. At
    least one token is kept, also at p = 0; p = 1 keeps everything. The masses are sums in float64, taken in that order:
    where one equals p but for rounding, rounding decides whether one more token is kept.

    Source: Holtzman et al. 2020 (arXiv:1904.09751), section 3.1 (nucleus sampling).
    Departs from it: ties are decided; p = 0 has a meaning.

    Args:
        logits: finite or -inf.
        p: from 0 to 1.
    Raises:
        ValueError: p is not within 0 to 1, V = 0, a logit is NaN or +inf, or all logits of a row are -inf.

    Cost: O(B·V·log V).

    >>> logits = torch.tensor([0.125, 0.5, 0.25, 0.125], dtype=torch.float64).log()
    >>> [(top_p(logits, p) > -torch.inf).tolist() for p in (0.5, 0.75, 0.76)]
    [[False, True, False, False], [False, True, True, False], [True, True, True, False]]
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p: expected a mass from 0 to 1, got {p}")
    order = _ranking(logits)  # (*B, V)
    taken = token_probabilities(logits).gather(-1, order).cumsum(dim=-1)
    kept = torch.ones_like(taken, dtype=torch.bool)
    kept[..., 1:] = (taken[..., :-1] < p) | bool(p == 1)  # the mass before a token has not reached p
    return logits.masked_fill(~_unsorted(kept, order), -torch.inf)


def _ranking(logits: Float64[Tensor, "*B V"]) -> Tensor:
    """Ids by falling logit, of equal ones the lowest first."""
    return logits.argsort(dim=-1, descending=True, stable=True)


def _unsorted(sorted_flags: Bool[Tensor, "*B V"], order: Tensor) -> Tensor:
    """Flags by rank, brought back to the order of ids."""
    return torch.zeros_like(sorted_flags).scatter(-1, order, sorted_flags)
