"""What a checkpoint holds: tensors by name. Joining and splitting such mappings, and holding one to another's form."""

from collections.abc import Mapping
from typing import TypeAlias

from jaxtyping import Shaped
from torch import Tensor

State: TypeAlias = Mapping[str, Shaped[Tensor, "..."]]


def join(parts: Mapping[str, State]) -> dict[str, Tensor]:
    """One mapping of all parts, each name behind its part's: "model" and "w" become "model.w".

    >>> import torch
    >>> sorted(join({"a": {"x": torch.zeros(1)}, "b": {"x": torch.ones(1)}}))
    ['a.x', 'b.x']
    """
    return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}


def part_of(state: State, part: str) -> dict[str, Tensor]:
    """What `join` put behind `part`.

    >>> import torch
    >>> part_of({"a.x": torch.zeros(1), "ab.x": torch.zeros(2)}, "a")
    {'x': tensor([0.])}
    """
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def require_form(state: State, expected: State) -> None:
    """Hold `state` to the names, dtypes and shapes of `expected`.

    Raises:
        ValueError: a name is missing or unknown, or a tensor has another dtype or shape.

    >>> import torch
    >>> require_form({"w": torch.zeros(2)}, {"w": torch.zeros(3)})
    Traceback (most recent call last):
    ValueError: w: expected torch.float32 of shape (3,), got torch.float32 of shape (2,)
    """
    if differing := sorted(state.keys() ^ expected.keys()):
        name = differing[0]
        found = "nothing" if name in expected else "it"
        raise ValueError(f"{name}: expected {'it' if name in expected else 'nothing'} of that name, got {found}")
    for name, like in expected.items():
        if _form(state[name]) != _form(like):
            raise ValueError(f"{name}: expected {_form(like)}, got {_form(state[name])}")


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}"
