"""Llama: a decoder with RMSNorm, rotary positions, grouped queries and SwiGLU; with a window, Mistral.

Covers logits and hidden states, whole or continued from a cache. Not covered: stretched rotary frequencies (Llama 3.1),
biases, padding on the left, caches that forget what has left the window.
"""

from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Float64, Int64, jaxtyped
from torch import Tensor, nn

from reference.attention import KVCache, causal_mask, sliding_window_mask
from reference.checked import checked
from reference.positional.rotary import require_base
from reference.transformer.attention_layer import Attention
from reference.transformer.blocks import PreNormBlock
from reference.transformer.feed_forward import GatedFeedForward
from reference.transformer.initial import embedding, linear
from reference.transformer.norms import RMSNorm
from reference.transformer.rules import divisor, even_head, known_ids, past_length, sizes


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """The sizes of a Llama, or, with a window, of a Mistral.

    Source: Touvron et al. 2023 (arXiv:2302.13971), section 2.2; groups: Touvron et al. 2023 (arXiv:2307.09288),
    section 2.2; window: Jiang et al. 2023 (arXiv:2310.06825), section 2.

    Args:
        vocab_size: V, tokens.
        context_length: C, the most positions.
        width: D.
        n_layers: L, blocks.
        n_heads: H of queries, a divisor of D; D/H is even.
        n_groups: G heads of keys and values, a divisor of H; H: multi-head, 1: multi-query attention.
        inner_width: F, of the feed-forward layers.
        window: how many positions are visible in each layer, the position itself included; None: it and all before.
        rotary_base: of the angles, 1 or more.
        tied: whether the output projection is the token embedding.
        epsilon: of every RMSNorm.
    Raises:
        ValueError: a size or `rotary_base` is below 1, a number of heads does not divide, D/H is odd, or `epsilon` is
            not above 0.

    >>> LlamaConfig(vocab_size=7, context_length=8, width=6, n_layers=1, n_heads=2, n_groups=1, inner_width=9)
    Traceback (most recent call last):
    ValueError: width / n_heads: expected an even number for rotary positions, got 3
    """

    vocab_size: int
    context_length: int
    width: int
    n_layers: int
    n_heads: int
    n_groups: int
    inner_width: int
    window: int | None = None
    rotary_base: float | int = 10000.0
    tied: bool = False
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        sizes(self)
        divisor("n_heads", self.n_heads, "width", self.width)
        divisor("n_groups", self.n_groups, "n_heads", self.n_heads)
        even_head(self.width, self.n_heads)
        require_base("rotary_base", self.rotary_base)


class Llama(nn.Module):
    """Predict every next token from those before it, or from those in the window.

    x = E[ids]; x through L causal pre-norm blocks; logits = norm(x) Wᵀ, with W = E if tied. There is no padding
    argument: no position sees what follows it, so texts padded at the end keep their logits.

    Source: Touvron et al. 2023 (arXiv:2302.13971), section 2.2; with a window: Jiang et al. 2023 (arXiv:2310.06825),
    section 2.
    Departs from it: a cache keeps all positions, also those that have left the window.

    Args:
        config: the sizes.
        generator: draws all weights, see `reference.transformer.initial`; its device is where they are.

    >>> config = LlamaConfig(vocab_size=7, context_length=8, width=8, n_layers=2, n_heads=4, n_groups=2, inner_width=9)
    >>> model = Llama(config, generator=torch.Generator().manual_seed(0))
    >>> model(torch.tensor([[5, 0, 6]])).shape
    torch.Size([1, 3, 7])
    """

    @checked
    def __init__(self, config: LlamaConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = embedding(config.vocab_size, config.width, generator=generator)
        self.blocks = nn.ModuleList(_block(config, generator) for _ in range(config.n_layers))
        self.final_norm = RMSNorm(config.width, eps=config.epsilon, device=generator.device)
        self.lm_head = linear(config.width, config.vocab_size, bias=False, generator=generator)
        if config.tied:
            self.lm_head.weight = self.token_embedding.weight

    @checked
    def forward(self, ids: Int64[Tensor, "B T"], cache: list[KVCache] | None = None) -> Float64[Tensor, "B T V"]:
        """Give the logits of the token after each position.

        Args:
            ids: token ids; B = 0 or T = 0: empty logits.
            cache: what `new_cache` gave, and earlier calls filled: `ids` then continue those texts, and are appended.
        Raises:
            ValueError: an id is unknown, the text is longer than the context, or the cache does not fit: nothing is
                appended. A value on the way is not finite: the cache is of no more use.

        Cost: O(B·T·(L·D·(D + F + S) + D·V)), S positions in all.

        >>> config = LlamaConfig(
        ...     vocab_size=1, context_length=2, width=8, n_layers=2, n_heads=4, n_groups=2, inner_width=9
        ... )
        >>> model = Llama(config, generator=torch.Generator().manual_seed(0))
        >>> model(torch.tensor([[0, 0, 0]]))
        Traceback (most recent call last):
        ValueError: ids: expected a context of 2 tokens or less, got 3
        """
        return self.lm_head(self.hidden(ids, cache))  # type: ignore[no-any-return]

    @checked
    def hidden(self, ids: Int64[Tensor, "B T"], cache: list[KVCache] | None = None) -> Float64[Tensor, "B T D"]:
        """Give what the output projection, or any other head, gets: the last block's result, normalised.

        Args:
            ids: as in `forward`.
            cache: as in `forward`.
        Raises:
            ValueError: as in `forward`.

        Cost: O(B·T·L·D·(D + F + S)), S positions in all.

        >>> config = LlamaConfig(
        ...     vocab_size=7, context_length=8, width=8, n_layers=2, n_heads=4, n_groups=2, inner_width=9
        ... )
        >>> Llama(config, generator=torch.Generator().manual_seed(0)).hidden(torch.tensor([[5, 0, 6]])).shape
        torch.Size([1, 3, 8])
        """
        past = past_length(cache, self.config.n_layers)
        known_ids(ids, self.config, past)
        x = self.token_embedding(ids)  # (B, T, D)
        mask = self._mask(past + ids.shape[1], ids.device)[None, past:]  # (1, T, S)
        for layer, block in enumerate(self.blocks):
            x = block(x, mask=mask, cache=cache and cache[layer])
        return self.final_norm(x)  # type: ignore[no-any-return]

    @checked
    def new_cache(self) -> list[KVCache]:
        """Start an empty cache, one for each layer, for one batch of texts.

        Raises:
            TypeError: an argument is given.

        Cost: O(L); a filled one holds 2·L·G·D/H numbers a position.

        >>> config = LlamaConfig(
        ...     vocab_size=7, context_length=8, width=8, n_layers=2, n_heads=4, n_groups=2, inner_width=9, window=2
        ... )
        >>> model = Llama(config, generator=torch.Generator().manual_seed(0))
        >>> cache, ids = model.new_cache(), torch.tensor([[5, 0, 6]])
        >>> steps = [model(ids[:, :2], cache), model(ids[:, 2:], cache)]
        >>> torch.allclose(torch.cat(steps, dim=1), model(ids), rtol=0, atol=1e-15)
        True
        """
        return [KVCache() for _ in self.blocks]

    def _mask(self, n: int, device: torch.device) -> Tensor:
        if self.config.window is None:
            return causal_mask(n, device=device)
        return sliding_window_mask(n, self.config.window, device=device)


def _block(config: LlamaConfig, generator: torch.Generator) -> PreNormBlock:
    attention = Attention(
        config.width,
        config.n_heads,
        n_groups=config.n_groups,
        bias=False,
        rotary_base=config.rotary_base,
        generator=generator,
    )
    feed_forward = GatedFeedForward(config.width, config.inner_width, generator=generator)
    norms = (RMSNorm(config.width, eps=config.epsilon, device=generator.device) for _ in range(2))
    return PreNormBlock(attention, feed_forward, *norms)
