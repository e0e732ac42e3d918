"""Transformers: their parts, their blocks, and five whole models, in float64 and with gradients.

Covers GPT-2, Llama (with a window: Mistral), BERT with its pre-training heads, the encoder–decoder of 2017 and ViT; the
norms, activations and blocks that they are made of; parameter counts. Every projection is a `torch.nn.Linear`, tied
weights are one parameter, and a model is drawn from the generator that it is given. Not covered: dropout, training,
sampling, speed, weights of published models.

One letter per dimension, the same in every signature: B batch (any leading dimensions), T positions, S positions that
are looked at, V vocabulary, D model width, F inner width of a feed-forward layer; of an image C channels, H rows, W
columns, N patches, P numbers in a patch, K classes, M = N + 1; n any length. In formulas also L layers, H heads, G
groups of heads.
"""

from reference.transformer.activations import gelu, gelu_tanh, swiglu
from reference.transformer.attention_layer import Attention
from reference.transformer.bert import Bert, BertConfig
from reference.transformer.blocks import PostNormBlock, PreNormBlock
from reference.transformer.counts import (
    count_bert,
    count_encoder_decoder,
    count_gpt2,
    count_llama,
    count_parameters,
    count_vit,
)
from reference.transformer.cross_block import CrossBlock
from reference.transformer.encoder_decoder import EncoderDecoder, EncoderDecoderConfig
from reference.transformer.feed_forward import FeedForward, GatedFeedForward
from reference.transformer.gpt2 import GPT2, GPT2Config
from reference.transformer.llama import Llama, LlamaConfig
from reference.transformer.norms import LayerNorm, RMSNorm, layer_norm, rms_norm
from reference.transformer.patches import image_patches
from reference.transformer.vit import ViT, ViTConfig

__all__ = [
    "GPT2",
    "Attention",
    "Bert",
    "BertConfig",
    "CrossBlock",
    "EncoderDecoder",
    "EncoderDecoderConfig",
    "FeedForward",
    "GPT2Config",
    "GatedFeedForward",
    "LayerNorm",
    "Llama",
    "LlamaConfig",
    "PostNormBlock",
    "PreNormBlock",
    "RMSNorm",
    "ViT",
    "ViTConfig",
    "count_bert",
    "count_encoder_decoder",
    "count_gpt2",
    "count_llama",
    "count_parameters",
    "count_vit",
    "gelu",
    "gelu_tanh",
    "image_patches",
    "layer_norm",
    "rms_norm",
    "swiglu",
]
