"""What a dictionary of weights must hold. For this package."""

from collections.abc import Mapping

from jaxtyping import Float64
from torch import Tensor, nn

Weights = Mapping[str, Float64[Tensor, "..."]]


def weight_of(weights: Weights, name: str) -> Tensor:
    """The weight `name`, which a model cannot do without."""
    if name not in weights:
        raise ValueError(f"weights: expected {name!r}, got {sorted(weights)}")
    return weights[name]


def n_blocks(weights: Weights) -> int:
    """How many blocks there are: they are numbered from 0."""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


def require_names(weights: Weights, module: nn.Module) -> None:
    """Hold the dictionary to the names of `module`'s weights: none missing, none left over."""
    expected, got = {name for name, _ in module.named_parameters()}, set(weights)
    if expected != got:
        raise ValueError(f"weights: missing {sorted(expected - got)}, unknown {sorted(got - expected)}")
