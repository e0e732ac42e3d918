"""How every weight of a model starts, and from which randomness. Not covered: other schemes (Xavier, μP).

The rule: weights of projections and embeddings are normal with mean 0 and standard deviation 0.02, biases are 0, scales
of norms are 1. Draws come in the order in which modules are built, from the one generator given; torch's global
generator is neither read nor moved. Everything is made on the generator's device.
"""

import torch
from torch import nn

STANDARD_DEVIATION = 0.02  # of GPT (Radford et al. 2018, section 4.1)


def linear(n_in: int, n_out: int, *, bias: bool, generator: torch.Generator) -> nn.Linear:
    """Project rows of width `n_in` to width `n_out`: y = x Wᵀ + b."""
    unset = nn.Linear(n_in, n_out, bias=bias, dtype=torch.float64, device="meta")  # meta: draws nothing itself
    made = unset.to_empty(device=generator.device)
    nn.init.normal_(made.weight, std=STANDARD_DEVIATION, generator=generator)
    if bias:
        nn.init.zeros_(made.bias)
    return made


def embedding(n_rows: int, width: int, *, generator: torch.Generator) -> nn.Embedding:
    """Hold a table with one row for each token, position or segment."""
    made = nn.Embedding(n_rows, width, dtype=torch.float64, device="meta").to_empty(device=generator.device)
    nn.init.normal_(made.weight, std=STANDARD_DEVIATION, generator=generator)
    return made


def vector(width: int, *, generator: torch.Generator) -> nn.Parameter:
    """Draw one vector, such as that of ViT's class token."""
    made = filled(0.0, width, device=generator.device)
    nn.init.normal_(made, std=STANDARD_DEVIATION, generator=generator)
    return made


def filled(value: float, width: int, *, device: torch.device | None) -> nn.Parameter:
    """Make a parameter of equal entries, such as the scale of a norm."""
    return nn.Parameter(torch.full((width,), value, dtype=torch.float64, device=device))
