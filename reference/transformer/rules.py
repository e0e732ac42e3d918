"""What must hold of a model's sizes and of what it is given. For this package."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Protocol

from jaxtyping import Bool, Int64
from torch import Tensor

from reference.attention import KVCache
from reference.attention.cache import held_shapes
from reference.values import above_zero, at_least, token_ids


def sizes(config: Any) -> None:
    """Hold every whole number of a configuration to 1 or more, every other number to a positive one."""
    for field in fields(config):
        value = getattr(config, field.name)
        if value is None or field.type is bool:  # False is an int too, where a size is expected
            continue
        if isinstance(value, int):
            at_least(field.name, value, 1)
        else:
            above_zero(field.name, value)


def divisor(name: str, part: int, whole_name: str, whole: int) -> None:
    """Hold a number of parts to one that cuts the whole evenly."""
    if part < 1 or whole < 1 or whole % part:
        raise ValueError(f"{name}: expected a divisor of {whole_name} = {whole}, got {part}")


def even_head(width: int, n_heads: int) -> None:
    """Hold the width of a head to pairs of columns, which rotary positions turn."""
    if width // n_heads % 2:
        raise ValueError(f"width / n_heads: expected an even number for rotary positions, got {width // n_heads}")


class Vocabulary(Protocol):
    """A configuration that says which ids are known, and how many fit."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def context_length(self) -> int: ...


def known_ids(ids: Int64[Tensor, "B T"], config: Vocabulary, past: int = 0) -> None:
    """Hold token ids to the vocabulary, and their positions, after `past` ones, to the context."""
    token_ids("ids", ids, config.vocab_size)
    end = past + ids.shape[1]
    if end > config.context_length:
        raise ValueError(f"ids: expected a context of {config.context_length} tokens or less, got {end}")


def past_length(cache: Sequence[KVCache] | None, n_layers: int) -> int:
    """Say how many positions a model has seen; all its layers must agree."""
    if cache is None:
        return 0
    for layer in cache:  # `@checked` draws one of a list
        if not isinstance(layer, KVCache):
            raise TypeError(f"cache: expected a KVCache for each layer, got {layer!r}")
    lengths = {layer.length for layer in cache}
    if len(cache) != n_layers or len(lengths) != 1:
        raise ValueError(
            f"cache: expected {n_layers} layers of one length, got {len(cache)} of lengths {sorted(lengths)}"
        )
    if len({id(layer) for layer in cache}) != n_layers:
        raise ValueError("cache: expected one of its own for each layer, got one twice")
    shapes = {held_shapes(layer) for layer in cache} - {None}
    if len(shapes) > 1:  # the first layers might fit, and would have appended when a later one does not
        raise ValueError(f"cache: expected layers of one shape, got {len(shapes)}")
    return lengths.pop()


def over_keys(mask: Bool[Tensor, "B S"] | None) -> Bool[Tensor, "B 1 S"] | None:
    """Let a mask over keys stand for every query."""
    return None if mask is None else mask[:, None]
