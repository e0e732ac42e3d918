"""LoRA on one weight, as functions: its size, its start, its outputs, its merge. Not covered: biases, dropout."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from reference.checked import checked
from reference.values import above_zero, at_least


@checked
def lora_parameters(shapes: Sequence[tuple[int, int]], rank: int) -> tuple[int, int]:
    """Count the numbers that train with LoRA and those that would without: (Σ r · (K + D), Σ K · D).

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.2.

    Args:
        shapes: (K, D) of each weight that is adapted.
        rank: r, the same for all.
    Returns:
        Those of all A and B, and those of the weights themselves. No weight: (0, 0).
    Raises:
        ValueError: the rank is below 1, or a size is negative.

    Cost: O(N) for N weights.

    >>> lora_parameters([(768, 768), (3072, 768)], rank=8)            # 8 · 1536 + 8 · 3840
    (43008, 2949120)
    """
    at_least("rank", rank, 1)
    for outputs, inputs in shapes:
        at_least("shapes", min(outputs, inputs), 0)
    return sum(rank * (outputs + inputs) for outputs, inputs in shapes), sum(k * d for k, d in shapes)


@checked
def lora_start(
    n_outputs: int, n_inputs: int, rank: int, seed: int
) -> tuple[Float64[Tensor, "r D"], Float64[Tensor, "K r"]]:
    """Draw A, each entry uniform in ±1/√D and independent of the others, and set B to 0, so that nothing changes yet.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1.
    Departs from it: A is uniform, as in the authors' code, not Gaussian.

    Args:
        n_outputs: K.
        n_inputs: D.
        rank: r.
        seed: of the generator, 0 or more.
    Returns:
        A and B; the same for the same seed.
    Raises:
        ValueError: a size is below 1, or the seed is negative.

    Cost: O(r·(D + K)).

    >>> a, b = lora_start(2, 4, rank=1, seed=0)
    >>> bool((a.abs() <= 0.5).all()), b.tolist()
    (True, [[0.0], [0.0]])
    """
    for name, size in (("n_outputs", n_outputs), ("n_inputs", n_inputs), ("rank", rank)):
        at_least(name, size, 1)
    at_least("seed", seed, 0)
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(rank, n_inputs, dtype=torch.float64, generator=generator, device=generator.device)
    zeros = torch.zeros(n_outputs, rank, dtype=torch.float64, device=generator.device)
    return (2 * uniform - 1) / math.sqrt(n_inputs), zeros


@checked
def lora_forward(
    x: Float64[Tensor, "*rows D"],
    weight: Float64[Tensor, "K D"],
    a: Float64[Tensor, "r D"],
    b: Float64[Tensor, "K r"],
    alpha: float,
) -> Float64[Tensor, "*rows K"]:
    """Apply a frozen weight with its update, without building the latter: W x + (alpha / r) · B (A x).

    Source: Hu et al. 2021 (arXiv:2106.09685), equation 3.

    Args:
        x: inputs, along the last dimension.
        weight: W, as in `nn.Linear`: one row an output.
        a: A.
        b: B.
        alpha: finite, above 0.
    Returns:
        Outputs.
    Raises:
        ValueError: the rank is 0, or alpha is out of range.

    Cost: O(D·K + r·(D + K)) time a row.

    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> lora_forward(2 * one, one, one, one, alpha=3.0).item()         # 2 + 3·2
    8.0
    """
    return x @ weight.T + _scaling(a, alpha) * (x @ a.T @ b.T)


@checked
def lora_merge(
    weight: Float64[Tensor, "K D"], a: Float64[Tensor, "r D"], b: Float64[Tensor, "K r"], alpha: float
) -> Float64[Tensor, "K D"]:
    """Give the one weight that does what weight and update do together: W + (alpha / r) · B A.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1 (no additional inference latency).

    Args:
        weight: W.
        a: A.
        b: B.
        alpha: finite, above 0.
    Returns:
        A weight of its own; W stays as it is.
    Raises:
        ValueError: the rank is 0, or alpha is out of range.

    Cost: O(r·D·K) time.

    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> lora_merge(one, one, one, alpha=3.0).item()
    4.0
    """
    return weight + _scaling(a, alpha) * (b @ a)


def _scaling(a: Float64[Tensor, "r D"], alpha: float) -> float:
    at_least("rank", len(a), 1)
    above_zero("alpha", alpha)
    return alpha / len(a)
