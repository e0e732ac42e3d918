"""What generation asks of a model, and the logits of the next token, read with or without a cache."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked

Model: TypeAlias = Callable[[Int64[Tensor, "B T"]], Float64[Tensor, "B T V"]]
Reader: TypeAlias = Callable[[Int64[Tensor, "B T"]], Float64[Tensor, "B V"]]


@runtime_checkable
class CachedModel(Protocol):
    """A model that can go on from what it has read: the ids of a call continue those that the cache has seen."""

    def new_cache(self) -> Any: ...

    def __call__(self, ids: Tensor, cache: Any, /) -> Any: ...


def reader(model: Model) -> Reader:
    """Read all ids anew at each call."""
    return lambda ids: _all_logits(model, ids)[:, -1]


def cached_reader(model: CachedModel) -> Reader:
    """Read at each call only the ids that are new since the last one, which must begin with the same ids."""
    cache, n_read = model.new_cache(), 0

    def read(ids: Int64[Tensor, "B T"]) -> Float64[Tensor, "B V"]:
        nonlocal n_read
        new, n_read = ids[:, n_read:], ids.shape[1]
        return _all_logits(lambda fresh: model(fresh, cache), new)[:, -1]

    return read


@checked
def _all_logits(model: Model, ids: Int64[Tensor, "B T"]) -> Float64[Tensor, "B T V"]:
    """Hold what the model gives to its shape."""
    return model(ids)
