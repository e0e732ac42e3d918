"""LoRA on one linear layer: a frozen weight and a trainable update of low rank. Not covered: dropout, convolutions."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from reference.checked import checked
from reference.values import above_zero, at_least


class LoRALinear(nn.Module):
    """A frozen linear layer W x + b with a trainable update: W x + b + scaling · B A x.

    A (rank, D) starts Kaiming-uniform: each entry uniform in ±1/√D. B (K, rank) starts at 0, so that the layer starts
    as it was. scaling = alpha / rank, or alpha / √rank when `rank_stabilised`. A rank above min(K, D) is allowed,
    though it adds nothing. The wrapped layer is `base`; its weight and bias no longer train.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1; Kalajdzievski 2023 (arXiv:2312.03732) for alpha / √rank.
    Departs from it: A is uniform, as in the authors' code, not Gaussian.

    >>> layer = LoRALinear(nn.Linear(3, 2, dtype=torch.float64), rank=1, alpha=2.0, generator=torch.Generator())
    >>> x = torch.ones(1, 3, dtype=torch.float64)
    >>> torch.equal(layer(x), layer.base(x))                        # B is 0
    True
    >>> layer.scaling
    2.0
    """

    @checked
    def __init__(
        self, base: nn.Linear, rank: int, alpha: float, generator: torch.Generator, rank_stabilised: bool = False
    ) -> None:
        super().__init__()
        at_least("rank", rank, 1)
        above_zero("alpha", alpha)
        require_double(base)
        self.base = base.requires_grad_(False)
        self.scaling = alpha / (math.sqrt(rank) if rank_stabilised else rank)
        self.merged = False
        a = torch.empty(rank, base.in_features, dtype=torch.float64, device=generator.device)
        nn.init.kaiming_uniform_(a, a=math.sqrt(5), generator=generator)  # √5: bounds of ±1/√D
        self.a = nn.Parameter(a.to(base.weight.device))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float64, device=base.weight.device))

    @checked
    def forward(self, x: Float64[Tensor, "*rows D"]) -> Float64[Tensor, "*rows K"]:
        """Apply the layer with its update; once merged, the base alone, which then holds the update.

        Args:
            x: inputs.
        Returns:
            Outputs.
        Raises:
            ValueError: x is not as wide as the layer.

        Cost: O(D·K + rank·(D + K)) time a row.

        >>> base = nn.Linear(1, 1, bias=False, dtype=torch.float64)
        >>> layer = LoRALinear(base, rank=1, alpha=3.0, generator=torch.Generator())
        >>> for parameter in (base.weight, layer.a, layer.b):
        ...     _ = nn.init.ones_(parameter)
        >>> layer(torch.tensor([[2.0]], dtype=torch.float64)).item()    # 2 + 3·2
        8.0
        """
        if x.shape[-1] != self.base.in_features:
            raise ValueError(f"x: expected a width of {self.base.in_features}, got {x.shape[-1]}")
        frozen: Tensor = self.base(x)  # (*rows, K)
        return frozen if self.merged else frozen + self.scaling * (x @ self.a.T @ self.b.T)

    @checked
    def merge(self) -> None:
        """Fold the update into the base: W + scaling · B A becomes its weight.

        Outputs stay the same up to rounding. The base gets a weight of its own: where W was tied to another layer
        (an embedding), that layer keeps W. A and B get no gradient until `unmerge`.

        Raises:
            ValueError: it is merged already.

        Cost: O(rank·D·K) time, O(D·K) memory.

        >>> layer = LoRALinear(nn.Linear(1, 1, dtype=torch.float64), 1, alpha=1.0, generator=torch.Generator())
        >>> layer.merge()
        >>> layer.merge()
        Traceback (most recent call last):
        ValueError: merged: expected a layer that is not merged, got one that is
        """
        if self.merged:
            raise ValueError("merged: expected a layer that is not merged, got one that is")
        self._shift(+self.scaling)
        self.merged = True

    @checked
    def unmerge(self) -> None:
        """Take the update out of the base again: W comes back up to rounding, at most 2⁻⁵² · (|W| + |scaling · B A|).

        A and B must not have changed since `merge`.

        Raises:
            ValueError: it is not merged.

        Cost: O(rank·D·K) time, O(D·K) memory.

        >>> layer = LoRALinear(nn.Linear(1, 1, dtype=torch.float64), 1, alpha=1.0, generator=torch.Generator())
        >>> layer.unmerge()
        Traceback (most recent call last):
        ValueError: merged: expected a layer that is merged, got one that is not
        """
        if not self.merged:
            raise ValueError("merged: expected a layer that is merged, got one that is not")
        self._shift(-self.scaling)
        self.merged = False

    def _shift(self, scale: float) -> None:
        """Give the base a new weight: W + scale · B A."""
        with torch.no_grad():
            shifted = self.base.weight + scale * (self.b @ self.a)  # (K, D)
        self.base.weight = nn.Parameter(shifted, requires_grad=False)


def require_double(base: nn.Linear) -> None:
    """Hold a layer to weights in float64, which its adapter has."""
    if base.weight.dtype != torch.float64:
        raise ValueError(f"base: expected weights of torch.float64, got {base.weight.dtype}")
