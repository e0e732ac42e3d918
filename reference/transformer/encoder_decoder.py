"""The encoder–decoder of "Attention Is All You Need": post-norm blocks, sinusoidal positions, one embedding for all.

Covers logits of the target given the source, whole or continued from a cache. Not covered: dropout, label smoothing,
separate vocabularies, a cache of the source's keys and values.
"""

import math
from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Bool, Float64, Int64, jaxtyped
from torch import Tensor, nn

from reference.attention import KVCache, causal_mask
from reference.checked import checked
from reference.positional import sinusoidal
from reference.transformer.assembly import cross_block, self_block
from reference.transformer.blocks import PostNormBlock
from reference.transformer.initial import embedding, linear
from reference.transformer.rules import divisor, over_keys, past_length, sizes
from reference.values import token_ids


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig:
    """The sizes of an encoder–decoder. Positions are computed, so texts may have any length.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.

    Args:
        vocab_size: V, tokens, of source and target together.
        width: D.
        n_encoder_layers: blocks that read the source.
        n_decoder_layers: blocks that write the target.
        n_heads: H, a divisor of D.
        inner_width: F, of the feed-forward layers; 4·D in the paper.
        epsilon: of every LayerNorm.
    Raises:
        ValueError: a size is below 1, `n_heads` does not divide `width`, or `epsilon` is not above 0.

    >>> EncoderDecoderConfig(vocab_size=7, width=6, n_encoder_layers=1, n_decoder_layers=0, n_heads=3, inner_width=9)
    Traceback (most recent call last):
    ValueError: n_decoder_layers: expected 1 or more, got 0
    """

    vocab_size: int
    width: int
    n_encoder_layers: int
    n_decoder_layers: int
    n_heads: int
    inner_width: int
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        sizes(self)
        divisor("n_heads", self.n_heads, "width", self.width)


class EncoderDecoder(nn.Module):
    """Predict every next token of a target from those before it and from the whole source.

    embed(ids) = √D · E[ids] + P[positions]; memory = embed(source) through the encoder's blocks; x = embed(target)
    through the decoder's, which look at x causally and at the memory; logits = x Eᵀ. Targets padded at the end keep
    their logits: no position of the target sees what follows it.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sections 3.1 to 3.5.
    Departs from it: attention has biases, as in most code; no dropout.

    Args:
        config: the sizes.
        generator: draws all weights, see `reference.transformer.initial`; its device is where they are.

    >>> config = EncoderDecoderConfig(
    ...     vocab_size=7, width=6, n_encoder_layers=1, n_decoder_layers=2, n_heads=3, inner_width=24
    ... )
    >>> model = EncoderDecoder(config, generator=torch.Generator().manual_seed(0))
    >>> model(torch.tensor([[5, 0, 6]]), torch.tensor([[1, 2]])).shape
    torch.Size([1, 2, 7])
    """

    @checked
    def __init__(self, config: EncoderDecoderConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = embedding(config.vocab_size, config.width, generator=generator)
        self.encoder_blocks = nn.ModuleList(
            self_block(PostNormBlock, config, activation=torch.relu, generator=generator)
            for _ in range(config.n_encoder_layers)
        )
        self.decoder_blocks = nn.ModuleList(
            cross_block(config, activation=torch.relu, generator=generator) for _ in range(config.n_decoder_layers)
        )
        self.lm_head = linear(config.width, config.vocab_size, bias=False, generator=generator)
        self.lm_head.weight = self.token_embedding.weight

    @checked
    def forward(
        self,
        source: Int64[Tensor, "B S"],
        target: Int64[Tensor, "B T"],
        source_mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float64[Tensor, "B T V"]:
        """Give the logits of the target's token after each of its positions: `decode` of `encode`.

        Args:
            source: token ids; S = 0: there is nothing to gather, and zeros are gathered.
            target: token ids, from the start token on; B = 0 or T = 0: empty logits.
            source_mask: true at tokens, false at padding; None: no padding.
        Raises:
            ValueError: an id is unknown, or a value on the way is not finite.

        Cost: O(B·D·(L·(S + T)·(D + F + S + T) + T·V)).

        >>> config = EncoderDecoderConfig(
        ...     vocab_size=7, width=6, n_encoder_layers=1, n_decoder_layers=2, n_heads=3, inner_width=24
        ... )
        >>> model = EncoderDecoder(config, generator=torch.Generator().manual_seed(0))
        >>> target, mask = torch.tensor([[1, 2]]), torch.tensor([[True, True, False]])
        >>> one, other = (model(torch.tensor([[5, 0, padding]]), target, mask) for padding in (3, 4))
        >>> bool((one == other).all())
        True
        """
        return self.decode(target, self.encode(source, source_mask), source_mask)

    @checked
    def encode(
        self, source: Int64[Tensor, "B S"], source_mask: Bool[Tensor, "B S"] | None = None
    ) -> Float64[Tensor, "B S D"]:
        """Read the source, once for any number of target tokens. At padding the memory means nothing.

        Args:
            source: as in `forward`.
            source_mask: as in `forward`.
        Raises:
            ValueError: as in `forward`.

        Cost: O(B·S·L·D·(D + F + S)).

        >>> config = EncoderDecoderConfig(
        ...     vocab_size=7, width=6, n_encoder_layers=1, n_decoder_layers=2, n_heads=3, inner_width=24
        ... )
        >>> EncoderDecoder(config, generator=torch.Generator().manual_seed(0)).encode(torch.tensor([[5, 0, 6]])).shape
        torch.Size([1, 3, 6])
        """
        token_ids("source", source, self.config.vocab_size)
        x = self._embed(source, start=0)
        for block in self.encoder_blocks:
            x = block(x, mask=over_keys(source_mask))
        return x

    @checked
    def decode(
        self,
        target: Int64[Tensor, "B T"],
        memory: Float64[Tensor, "B S D"],
        source_mask: Bool[Tensor, "B S"] | None = None,
        cache: list[KVCache] | None = None,
    ) -> Float64[Tensor, "B T V"]:
        """Give the logits of the target, given what the encoder made of the source.

        Args:
            target: as in `forward`.
            memory: what `encode` gave.
            source_mask: as in `forward`.
            cache: a list of one `KVCache` for each decoder block: `target` then continues what it holds.
        Raises:
            ValueError: as in `forward`, or the cache does not fit.

        Cost: O(B·D·(L·(T·(D + F + S + T) + S·D) + T·V)).

        >>> config = EncoderDecoderConfig(
        ...     vocab_size=7, width=6, n_encoder_layers=1, n_decoder_layers=2, n_heads=3, inner_width=24
        ... )
        >>> model = EncoderDecoder(config, generator=torch.Generator().manual_seed(0))
        >>> memory, cache = model.encode(torch.tensor([[5, 0, 6]])), [KVCache(), KVCache()]
        >>> steps = [model.decode(torch.tensor([[token]]), memory, cache=cache) for token in (1, 2)]
        >>> torch.allclose(torch.cat(steps, dim=1), model.decode(torch.tensor([[1, 2]]), memory), rtol=0, atol=1e-14)
        True
        """
        token_ids("target", target, self.config.vocab_size)
        past = past_length(cache, self.config.n_decoder_layers)
        x = self._embed(target, start=past)
        mask = causal_mask(past + target.shape[1], device=target.device)[None, past:]  # (1, T, past + T)
        for layer, block in enumerate(self.decoder_blocks):
            x = block(x, memory, mask=mask, memory_mask=over_keys(source_mask), cache=cache and cache[layer])
        return self.lm_head(x)  # type: ignore[no-any-return]

    def _embed(self, ids: Int64[Tensor, "B T"], *, start: int) -> Float64[Tensor, "B T D"]:
        width = self.config.width
        embedded: Tensor = math.sqrt(width) * self.token_embedding(ids)  # (B, T, D)
        return embedded + sinusoidal(start + ids.shape[1], width, device=ids.device)[start:]
