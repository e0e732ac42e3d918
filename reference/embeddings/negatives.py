"""Where negative samples come from. Not covered: what is learned from them, subsampling of frequent words."""

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import at_least, distribution


@checked
def negative_distribution(counts: Int64[Tensor, " V"], *, power: float | int = 0.75) -> Float64[Tensor, " V"]:
    """Turn how often each token occurs into how often it is drawn as a negative.

    p[t] = counts[t]^power / (sum over u of counts[u]^power). A token that does not occur is never drawn, also with
    power 0, which draws all others alike.

    Source: Mikolov et al. 2013 (arXiv:1310.4546), section 2.2 (the unigram distribution to the power 3/4).

    Args:
        counts: occurrences of each token.
        power: 0 or more; 1 is the distribution of the tokens themselves.
    Raises:
        ValueError: a count is negative, all are 0, there is no token, or `power` is negative, NaN or infinite.

    Cost: O(V).

    >>> negative_distribution(torch.tensor([16, 1, 0])).tolist()     # 16^0.75 = 8
    [0.8888888888888888, 0.1111111111111111, 0.0]
    """
    if not 0 <= power < float("inf"):
        raise ValueError(f"power: expected a finite number, 0 or more, got {power}")
    at_least("V, the number of tokens", len(counts), 1)
    at_least("counts", int(counts.min()), 0)
    at_least("largest of the counts", int(counts.max()), 1)
    relative = counts.double() / counts.max()  # at most 1: no power of it overflows
    weights = torch.where(counts > 0, relative**power, 0.0)
    return weights / weights.sum()


@checked
def draw_negatives(
    noise: Float64[Tensor, " V"], n_examples: int, n_negatives: int, *, rng: np.random.Generator
) -> Int64[Tensor, "{n_examples} {n_negatives}"]:
    """Draw tokens independently, with replacement, for every example.

    Inversion: with F the running sum of the probabilities (its last value set to 1 by division) and u =
    rng.random((n_examples, n_negatives)), each draw is the first id with F[id] > u. A token of probability 0 is never
    drawn. A negative may be equal to the example's true context, as in the paper's equation (word2vec.c drops those).

    Source: Devroye, Non-Uniform Random Variate Generation (1986), section III.2 (inversion).

    Args:
        noise: probability of each token.
        n_examples: N, 0 or more.
        n_negatives: K, 0 or more.
        rng: NumPy's generator; used once.
    Returns:
        Token ids, on the device of `noise`.
    Raises:
        ValueError: `noise` is no distribution, or a number is negative.

    Cost: O(V + N·K·log V).

    >>> noise = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    >>> draw_negatives(noise, 2, 3, rng=np.random.default_rng(0)).tolist()
    [[1, 1, 1], [1, 1, 1]]
    """
    distribution("noise", noise)
    at_least("n_examples", n_examples, 0)
    at_least("n_negatives", n_negatives, 0)
    running = noise.cumsum(dim=0)
    uniform = torch.tensor(rng.random((n_examples, n_negatives)), dtype=torch.float64, device=noise.device)
    return torch.searchsorted(running / running[-1], uniform, right=True)
