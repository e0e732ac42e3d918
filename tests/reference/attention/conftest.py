"""For the proofs of attention: random tensors by shape and seed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

Normal = Callable[..., Tensor]


@pytest.fixture(scope="session")
def normal() -> Normal:
    """`normal(2, 3, seed=1)`: standard normal, float64, the same for the same arguments."""

    def draw(*shape: int, seed: int = 0) -> Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return draw
