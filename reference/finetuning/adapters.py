"""LoRA on a whole model: layers chosen by name, and a plain model back. Not covered: several adapters at a time."""

import torch
from torch import nn

from reference.checked import checked
from reference.finetuning.lora import LoRALinear, require_double
from reference.finetuning.parameters import compiled


@checked
def add_lora(
    model: nn.Module,
    pattern: str,
    rank: int,
    alpha: float,
    generator: torch.Generator,
    rank_stabilised: bool = False,
) -> list[str]:
    """Freeze a model and wrap its linear layers whose name matches, each in a `LoRALinear`.

    A name matches as a whole: "q_proj" does not match "layers.0.q_proj", ".*q_proj" does. Only `nn.Linear` is wrapped,
    no subclass of it, neither the model itself nor the base of a layer that has an adapter already. A layer that the
    model holds under several names gets one adapter. Only A and B of the adapters train, those added before included:
    rank · (D + K) numbers for a (K, D) weight.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.2.

    Args:
        model: changed in place.
        pattern: a regular expression.
        rank: of every update, 1 or more.
        alpha: finite, above 0.
        generator: draws each A, in the model's order.
        rank_stabilised: scaling alpha / √rank instead of alpha / rank.
    Returns:
        Names of the wrapped layers, in the model's order.
    Raises:
        ValueError: the pattern is no regular expression, no linear layer matches, one that does is not float64, or
            `rank` or `alpha` is out of range; nothing has changed then.

    Cost: O(rank·(D + K)) memory a layer.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    >>> add_lora(model, "0|2", rank=1, alpha=1.0, generator=torch.Generator().manual_seed(0))
    ['0', '2']
    >>> from reference.transformer import count_parameters
    >>> count_parameters(model, trainable=True)                       # 1·(4 + 3) + 1·(3 + 2)
    12
    """
    chosen = _linear_layers(model, pattern)
    for layer in chosen.values():
        require_double(layer)
    adapters = {
        layer: LoRALinear(layer, rank, alpha, generator, rank_stabilised) for layer in dict.fromkeys(chosen.values())
    }
    for name, layer in chosen.items():
        _replace(model, name, adapters[layer])
    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.a.requires_grad_(True)
            module.b.requires_grad_(True)
    return list(chosen)


@checked
def merge_lora(model: nn.Module) -> list[str]:
    """Fold every adapter into its layer and put the plain linear layers back.

    Each `LoRALinear` becomes its base with the weight W + scaling · B A; one that is merged already keeps its weight.
    Outputs stay the same up to rounding. These layers train no more: see `train_only`. No adapter inside the model:
    nothing happens.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1 (no additional inference latency).

    Args:
        model: changed in place.
    Returns:
        Names of the layers, in the model's order.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(rank·D·K) time a layer.

    >>> model = nn.Sequential(nn.Linear(4, 3)).double()
    >>> _ = add_lora(model, "0", rank=1, alpha=1.0, generator=torch.Generator().manual_seed(0))
    >>> merge_lora(model), type(model[0]).__name__
    (['0'], 'Linear')
    """
    found = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, LoRALinear) and name
    }
    for name, adapter in found.items():
        if not adapter.merged:
            adapter.merge()
        _replace(model, name, adapter.base)
    return list(found)


def _linear_layers(model: nn.Module, pattern: str) -> dict[str, nn.Linear]:
    """Linear layers by name, without those inside an adapter."""
    name_of = compiled(pattern)
    modules = dict(model.named_modules(remove_duplicate=False))
    inside = {id(module.base) for module in modules.values() if isinstance(module, LoRALinear)}
    chosen = {
        name: module
        for name, module in modules.items()
        if type(module) is nn.Linear and name and id(module) not in inside and name_of.fullmatch(name)
    }
    if not chosen:
        raise ValueError(f"pattern: expected a match among the model's linear layers, got none for {pattern!r}")
    return chosen


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
