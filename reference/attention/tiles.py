"""Attention cut into tiles: what a tile holds, who may look where in it, its scores. For this package.

A tile is r queries by c keys. A mask is a rule here, worked out tile by tile: a table of all queries by all keys would
be as large as the scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from reference.attention.dot_product import scaled_scores
from reference.attention.masks import require_lengths
from reference.values import at_least


@dataclass(frozen=True)
class Tiling:
    """How T queries and S keys are cut, and who may look where. Query i stands at position i + S - T."""

    n_queries: int
    n_keys: int
    block_size: int  # queries, and keys, of a tile; the last ones have what is left
    causal: bool
    window: int | None  # implies causal
    lengths: Int64[Tensor, "*#B"] | None  # the keys that are not padding

    def __post_init__(self) -> None:
        at_least("block_size", self.block_size, 1)
        if self.window is not None:
            at_least("window", self.window, 1)
        if self.lengths is not None:
            require_lengths(self.lengths, self.n_keys)

    def query_blocks(self) -> Iterator[slice]:
        """Which queries belong together, in order."""
        return self._blocks(self.n_queries)

    def key_blocks(self) -> Iterator[slice]:
        """Which keys belong together, in order."""
        return self._blocks(self.n_keys)

    def scores(
        self, q: Float64[Tensor, "*B T d"], k: Float64[Tensor, "*B S d"], queries: slice, keys: slice
    ) -> Float64[Tensor, "*B r c"]:
        """The scores of one tile, -inf where a query may not look."""
        scores = scaled_scores(q[..., queries, :], k[..., keys, :])
        return scores.masked_fill(~self._visible(queries, keys, scores.device), -torch.inf)

    def _blocks(self, n: int) -> Iterator[slice]:
        return (slice(start, min(start + self.block_size, n)) for start in range(0, n, self.block_size))

    def _visible(self, queries: slice, keys: slice, device: torch.device) -> Bool[Tensor, "*#B #r c"]:
        key = torch.arange(keys.start, keys.stop, device=device)  # (c,)
        ahead = self.n_keys - self.n_queries
        query = torch.arange(queries.start + ahead, queries.stop + ahead, device=device)[:, None]  # (r, 1)
        visible = torch.ones_like(key, dtype=torch.bool)[None]  # (1, c)
        if self.causal or self.window is not None:
            visible = key <= query  # (r, c)
        if self.window is not None:
            visible = visible & (query - key < min(self.window, self.n_keys))  # lest it wrap round, beyond int64
        if self.lengths is not None:
            visible = visible & (key < self.lengths[..., None, None])  # (*#B, r, c)
        return visible
