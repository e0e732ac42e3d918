"""Attention with its four projections, as every model here has it.

Covers self- and cross-attention, grouped queries, rotary positions and cached decoding. Not covered: dropout;
queries of another width than the model's share of a head.
"""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor, nn

from reference.attention import KVCache, grouped_query
from reference.checked import checked
from reference.positional import rotary
from reference.positional.rotary import require_base
from reference.transformer.initial import linear
from reference.transformer.rules import divisor, even_head


class Attention(nn.Module):
    """Project to queries, keys and values, attend with H heads over G, project the concatenated heads back.

    q = x W_q + b_q (H heads of width d = D/H), k = m W_k + b_k and v = m W_v + b_v (G heads),
    y = concat(heads) W_o + b_o, with m the memory, or x. With a rotary base, queries and keys are turned by their
    positions first.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2; groups: Ainslie et al. 2023 (arXiv:2305.13245),
    section 2.2; rotation: Su et al. 2021 (arXiv:2104.09864), section 3.2.2.
    Departs from it: a bias is possible, as in GPT-2 and BERT.

    Args:
        width: D, the model's.
        n_heads: H, a divisor of D.
        n_groups: G, a divisor of H; None: H.
        bias: whether the four projections add one.
        rotary_base: of the angles, 1 or more; None: no rotation.
        generator: draws the weights; its device is where they are.
    Raises:
        ValueError: `width` or a number of heads is below 1 or does not divide, d is odd and positions are rotary, or
            `rotary_base` is not a finite number, 1 or more.

    >>> attention = Attention(4, 2, generator=torch.Generator().manual_seed(0))
    >>> [name for name, _ in attention.named_children()]
    ['q_proj', 'k_proj', 'v_proj', 'o_proj']
    """

    @checked
    def __init__(
        self,
        width: int,
        n_heads: int,
        *,
        n_groups: int | None = None,
        bias: bool = True,
        rotary_base: float | int | None = None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        n_groups = n_heads if n_groups is None else n_groups
        divisor("n_heads", n_heads, "width", width)
        divisor("n_groups", n_groups, "n_heads", n_heads)
        self.width, self.n_heads, self.n_groups, self.rotary_base = width, n_heads, n_groups, rotary_base
        if rotary_base is not None:
            even_head(width, n_heads)
            require_base("rotary_base", rotary_base)
        shared = width // n_heads * n_groups  # width of all keys of a position
        self.q_proj = linear(width, width, bias=bias, generator=generator)
        self.k_proj = linear(width, shared, bias=bias, generator=generator)
        self.v_proj = linear(width, shared, bias=bias, generator=generator)
        self.o_proj = linear(width, width, bias=bias, generator=generator)

    @checked
    def forward(
        self,
        x: Float64[Tensor, "B T {self.width}"],
        memory: Float64[Tensor, "B S {self.width}"] | None = None,
        *,
        mask: Bool[Tensor, "#B #T #S"] | None = None,
        cache: KVCache | None = None,
    ) -> Float64[Tensor, "B T {self.width}"]:
        """Let every position of `x` gather from the memory, or from `x` itself.

        A query that may look nowhere gathers zeros and comes out as the bias b_o. B = 0 or T = 0: empty.

        Args:
            x: one vector of width D a position.
            memory: what to look at; None: `x`, behind what the cache holds.
            mask: true where query T may look at key S; a dimension of 1 stands for all. None: everywhere.
            cache: of this layer; the keys and values of `x` are appended to it, and its length is the position at which
                `x` starts.
        Raises:
            ValueError: a memory comes with a cache or with rotary positions, `x` does not fit the cache, or a score is
                not finite.

        Cost: O(B·T·D·(D + S)) time, O(B·T·(D + H·S)) memory.

        >>> attention = Attention(2, 1, generator=torch.Generator().manual_seed(0))
        >>> attention(torch.zeros(1, 3, 2, dtype=torch.float64)).tolist()          # nothing in, the biases out: 0
        [[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]
        """
        if memory is not None and (cache is not None or self.rotary_base is not None):
            raise ValueError("memory: expected no cache and no rotary positions beside it, got one")
        source = x if memory is None else memory
        queries = self.q_proj(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, T, d)
        keys = self.k_proj(source).unflatten(-1, (self.n_groups, -1)).transpose(1, 2)  # (B, G, S, d)
        values = self.v_proj(source).unflatten(-1, (self.n_groups, -1)).transpose(1, 2)  # (B, G, S, d)
        if self.rotary_base is not None:
            start = 0 if cache is None else cache.length
            positions = torch.arange(start, start + x.shape[1], device=x.device)
            queries, keys = (rotary(vectors, positions, base=self.rotary_base) for vectors in (queries, keys))
        if cache is not None:
            keys, values = cache.append(keys, values)
        heads, _ = grouped_query(queries, keys, values, None if mask is None else mask[:, None])  # (B, H, T, d)
        return self.o_proj(heads.transpose(1, 2).flatten(start_dim=2))  # type: ignore[no-any-return]
