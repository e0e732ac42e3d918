"""How many numbers a model learns: by adding up, and by formula before it is built. Not covered: memory, operations.

Letters of the formulas: V vocabulary, C context, D width, L layers, F inner width, H heads, G groups.
"""

from torch import nn

from reference.checked import checked
from reference.transformer.bert import BertConfig
from reference.transformer.encoder_decoder import EncoderDecoderConfig
from reference.transformer.gpt2 import GPT2Config
from reference.transformer.llama import LlamaConfig
from reference.transformer.vit import ViTConfig


@checked
def count_parameters(model: nn.Module, *, trainable: bool = False) -> int:
    """Add up the parameters of a model; one that is used in several places (tied) counts once.

    Source: Paszke et al. 2019 (arXiv:1912.01703), section 4.1 (parameters of a module).

    Args:
        model: any module.
        trainable: whether to count those alone that require a gradient.
    Raises:
        TypeError: `model` is no module.

    Cost: O(number of tensors).

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad or not trainable)


@checked
def count_gpt2(config: GPT2Config) -> int:
    """Count the parameters of a GPT-2 from its sizes.

    V·D + C·D + L·(4D² + 4D + 2DF + F + D + 4D) + 2D, and V·D more if not tied: embeddings, blocks (attention,
    feed-forward, two norms), last norm.

    Source: Radford et al. 2019 (Language Models are Unsupervised Multitask Learners), table 2.
    Departs from it: the table says 117M for the smallest model, which has 124M by its own sizes.

    Args:
        config: the sizes.
    Raises:
        TypeError: not a `GPT2Config`.

    Cost: O(1).

    >>> sizes = dict(vocab_size=50257, context_length=1024, width=768, n_layers=12, n_heads=12, inner_width=3072)
    >>> count_gpt2(GPT2Config(**sizes))
    124439808
    """
    width = config.width
    block = _attention(width) + _feed_forward(width, config.inner_width) + 2 * _norm(width)
    n_tables = 1 if config.tied else 2
    return (n_tables * config.vocab_size + config.context_length) * width + config.n_layers * block + _norm(width)


@checked
def count_llama(config: LlamaConfig) -> int:
    """Count the parameters of a Llama, or Mistral, from its sizes.

    2·V·D + L·(2D² + 2D²·G/H + 3DF + 2D) + D, and V·D less if tied: embedding and output, blocks (attention with G of H
    heads of keys and values, gated feed-forward, two norms), last norm.

    Source: Touvron et al. 2023 (arXiv:2302.13971), table 2 (6.7B for the smallest).

    Args:
        config: the sizes.
    Raises:
        TypeError: not a `LlamaConfig`.

    Cost: O(1).

    >>> sizes = dict(vocab_size=32000, context_length=2048, width=4096, n_layers=32, n_heads=32, inner_width=11008)
    >>> count_llama(LlamaConfig(n_groups=32, **sizes))
    6738415616
    """
    width = config.width
    shared = width // config.n_heads * config.n_groups
    block = 2 * width**2 + 2 * width * shared + 3 * width * config.inner_width + 2 * width
    n_tables = 1 if config.tied else 2
    return n_tables * config.vocab_size * width + config.n_layers * block + width


@checked
def count_bert(config: BertConfig) -> int:
    """Count the parameters of a BERT with both its heads from its sizes.

    (V + C + segments)·D + 2D + L·(4D² + 4D + 2DF + F + D + 4D) + (D² + D + 2D + V) + (D² + D + 2D + 2): embeddings and
    their norm, blocks, the words' head (its table is the embedding's), the next-sentence head with its pooler.

    Source: Devlin et al. 2019 (arXiv:1810.04805), section 3 (110M for the base model).

    Args:
        config: the sizes.
    Raises:
        TypeError: not a `BertConfig`.

    Cost: O(1).

    >>> sizes = dict(vocab_size=30522, context_length=512, width=768, n_layers=12, n_heads=12, inner_width=3072)
    >>> count_bert(BertConfig(**sizes))
    110106428
    """
    width = config.width
    embeddings = (config.vocab_size + config.context_length + config.n_segments) * width + _norm(width)
    block = _attention(width) + _feed_forward(width, config.inner_width) + 2 * _norm(width)
    words = _linear(width, width) + _norm(width) + config.vocab_size
    next_sentence = _linear(width, width) + _linear(width, 2)
    return embeddings + config.n_layers * block + words + next_sentence


@checked
def count_encoder_decoder(config: EncoderDecoderConfig) -> int:
    """Count the parameters of an encoder–decoder from its sizes.

    V·D + L_enc·(4D² + 4D + 2DF + F + D + 4D) + L_dec·(8D² + 8D + 2DF + F + D + 6D): one embedding for source, target
    and output, the encoder's blocks, the decoder's with a second attention and a third norm. Positions are computed.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), table 3 (65M for the base model).
    Departs from it: attention has biases; with the 37000 tokens of section 5.1 that makes 63M.

    Args:
        config: the sizes.
    Raises:
        TypeError: not an `EncoderDecoderConfig`.

    Cost: O(1).

    >>> sizes = dict(n_encoder_layers=6, n_decoder_layers=6, n_heads=8, inner_width=2048)
    >>> count_encoder_decoder(EncoderDecoderConfig(vocab_size=37000, width=512, **sizes))
    63082496
    """
    width = config.width
    feed_forward = _feed_forward(width, config.inner_width)
    encoder = config.n_encoder_layers * (_attention(width) + feed_forward + 2 * _norm(width))
    decoder = config.n_decoder_layers * (2 * _attention(width) + feed_forward + 3 * _norm(width))
    return config.vocab_size * width + encoder + decoder


@checked
def count_vit(config: ViTConfig) -> int:
    """Count the parameters of a ViT from its sizes.

    P·D + D + D + (N + 1)·D + L·(4D² + 4D + 2DF + F + D + 4D) + 2D + D·K + K: patch projection, class token, positions
    of N patches and the class token, blocks, last norm, head; P = C·p² numbers a patch of C channels.

    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), table 1 (86M for the base model).

    Args:
        config: the sizes.
    Raises:
        TypeError: not a `ViTConfig`.

    Cost: O(1).

    >>> sizes = dict(image_size=224, n_channels=3, n_classes=1000, width=768, n_layers=12, n_heads=12, inner_width=3072)
    >>> count_vit(ViTConfig(patch_size=16, **sizes))
    86567656
    """
    width = config.width
    n_patches = (config.image_size // config.patch_size) ** 2
    embeddings = _linear(config.n_channels * config.patch_size**2, width) + width + (n_patches + 1) * width
    block = _attention(width) + _feed_forward(width, config.inner_width) + 2 * _norm(width)
    return embeddings + config.n_layers * block + _norm(width) + _linear(width, config.n_classes)


def _linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def _attention(width: int) -> int:
    return 4 * _linear(width, width)


def _feed_forward(width: int, inner_width: int) -> int:
    return _linear(width, inner_width) + _linear(inner_width, width)


def _norm(width: int) -> int:
    return 2 * width
