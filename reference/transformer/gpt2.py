"""GPT-2: a decoder of pre-norm blocks with LayerNorm, learned positions and tanh-GELU.

Covers logits and hidden states, whole or continued from a cache. Not covered: dropout, padding on the left.
"""

from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Float64, Int64, jaxtyped
from torch import Tensor, nn

from reference.attention import KVCache, causal_mask
from reference.checked import checked
from reference.positional import learned
from reference.transformer.activations import gelu_tanh
from reference.transformer.assembly import layer_norm_of, self_block
from reference.transformer.blocks import PreNormBlock
from reference.transformer.initial import embedding, linear
from reference.transformer.rules import divisor, known_ids, past_length, sizes


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True, kw_only=True)
class GPT2Config:
    """The sizes of a GPT-2.

    Source: Radford et al. 2019 (Language Models are Unsupervised Multitask Learners), section 2.3.

    Args:
        vocab_size: V, tokens.
        context_length: C, the most positions, each with its own learned vector.
        width: D.
        n_layers: L, blocks.
        n_heads: H, a divisor of D.
        inner_width: F, of the feed-forward layers; 4·D in GPT-2.
        tied: whether the output projection is the token embedding, as in GPT-2.
        epsilon: of every LayerNorm.
    Raises:
        ValueError: a size is below 1, `n_heads` does not divide `width`, or `epsilon` is not above 0.

    >>> GPT2Config(vocab_size=7, context_length=8, width=6, n_layers=1, n_heads=4, inner_width=24)
    Traceback (most recent call last):
    ValueError: n_heads: expected a divisor of width = 6, got 4
    """

    vocab_size: int
    context_length: int
    width: int
    n_layers: int
    n_heads: int
    inner_width: int
    tied: bool = True
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        sizes(self)
        divisor("n_heads", self.n_heads, "width", self.width)


class GPT2(nn.Module):
    """Predict every next token from those before it.

    x = E[ids] + P[positions]; x through L causal pre-norm blocks; logits = norm(x) Wᵀ, with W = E if tied. There is no
    padding argument: no position sees what follows it, so texts padded at the end keep their logits.

    Source: Radford et al. 2019 (Language Models are Unsupervised Multitask Learners), section 2.3.
    Departs from it: residual projections start like all others, not scaled by 1/√(2L); no dropout.

    Args:
        config: the sizes.
        generator: draws all weights, see `reference.transformer.initial`; its device is where they are.

    >>> config = GPT2Config(vocab_size=7, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
    >>> model = GPT2(config, generator=torch.Generator().manual_seed(0))
    >>> model(torch.tensor([[5, 0, 6]])).shape
    torch.Size([1, 3, 7])
    """

    @checked
    def __init__(self, config: GPT2Config, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = embedding(config.vocab_size, config.width, generator=generator)
        self.position_embedding = embedding(config.context_length, config.width, generator=generator)
        self.blocks = nn.ModuleList(
            self_block(PreNormBlock, config, activation=gelu_tanh, generator=generator) for _ in range(config.n_layers)
        )
        self.final_norm = layer_norm_of(config, generator)
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

        >>> config = GPT2Config(vocab_size=1, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
        >>> model = GPT2(config, generator=torch.Generator().manual_seed(0))
        >>> model(torch.tensor([[0, 1]]))
        Traceback (most recent call last):
        ValueError: ids: expected token ids from 0 to 0, got 1
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

        >>> config = GPT2Config(vocab_size=7, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
        >>> model = GPT2(config, generator=torch.Generator().manual_seed(0))
        >>> model.hidden(torch.tensor([[5, 0, 6]])).shape
        torch.Size([1, 3, 6])
        """
        past = past_length(cache, self.config.n_layers)
        known_ids(ids, self.config, past)
        end = past + ids.shape[1]
        positions = torch.arange(past, end, device=ids.device)
        x = self.token_embedding(ids) + learned(self.position_embedding.weight, positions)  # (B, T, D)
        mask = causal_mask(end, device=ids.device)[None, past:]  # (1, T, S)
        for layer, block in enumerate(self.blocks):
            x = block(x, mask=mask, cache=cache and cache[layer])
        return self.final_norm(x)  # type: ignore[no-any-return]

    @checked
    def new_cache(self) -> list[KVCache]:
        """Start an empty cache, one for each layer, for one batch of texts.

        Raises:
            TypeError: an argument is given.

        Cost: O(L); a filled one holds 2·L·D numbers a position.

        >>> config = GPT2Config(vocab_size=7, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
        >>> model = GPT2(config, generator=torch.Generator().manual_seed(0))
        >>> cache, ids = model.new_cache(), torch.tensor([[5, 0, 6]])
        >>> steps = [model(ids[:, :2], cache), model(ids[:, 2:], cache)]
        >>> torch.allclose(torch.cat(steps, dim=1), model(ids), rtol=0, atol=1e-15)
        True
        """
        return [KVCache() for _ in self.blocks]
