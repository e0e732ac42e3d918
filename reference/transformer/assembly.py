"""How models put their blocks together. For this package; Llama, whose parts are others, assembles its own."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from reference.transformer.attention_layer import Attention
from reference.transformer.blocks import PostNormBlock, PreNormBlock
from reference.transformer.cross_block import CrossBlock
from reference.transformer.feed_forward import FeedForward
from reference.transformer.norms import LayerNorm

BlockT = TypeVar("BlockT", PreNormBlock, PostNormBlock)


class BlockSizes(Protocol):
    """What a configuration says of one block."""

    @property
    def width(self) -> int: ...
    @property
    def n_heads(self) -> int: ...
    @property
    def inner_width(self) -> int: ...
    @property
    def epsilon(self) -> float: ...


def self_block(
    kind: type[BlockT], config: BlockSizes, *, activation: Callable[..., Tensor], generator: torch.Generator
) -> BlockT:
    """Make a block of attention and a plain feed-forward layer, with LayerNorm before or after."""
    attention = Attention(config.width, config.n_heads, generator=generator)
    feed_forward = FeedForward(config.width, config.inner_width, activation=activation, generator=generator)
    return kind(attention, feed_forward, *(layer_norm_of(config, generator) for _ in range(2)))


def cross_block(config: BlockSizes, *, activation: Callable[..., Tensor], generator: torch.Generator) -> CrossBlock:
    """Make a block of two attentions and a plain feed-forward layer, with LayerNorm after each."""
    attention, cross_attention = (Attention(config.width, config.n_heads, generator=generator) for _ in range(2))
    feed_forward = FeedForward(config.width, config.inner_width, activation=activation, generator=generator)
    norms = (layer_norm_of(config, generator), layer_norm_of(config, generator), layer_norm_of(config, generator))
    return CrossBlock(attention, cross_attention, feed_forward, norms=norms)


def layer_norm_of(config: BlockSizes, generator: torch.Generator) -> LayerNorm:
    """Make a LayerNorm of the model's width and epsilon, where its weights are."""
    return LayerNorm(config.width, eps=config.epsilon, device=generator.device)
