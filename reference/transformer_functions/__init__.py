"""The transformer as functions of plain data: tensors, dictionaries of weights, seeds.

Covers a decoder in Llama's manner (RMSNorm, rotary positions, SwiGLU) and an encoder in BERT's (LayerNorm, GELU) with
pre-norm blocks and sinusoidal positions, from given weights; the corruption and the loss of masked words; and the
training of a small decoder. Beside them stand the functions of other packages that take plain data already. Not
covered: caches, groups of heads, tied decoders, any other sizes of what is trained.

A dictionary of weights is that of a module's `state_dict`: a projection W is (outputs, inputs) and y = x Wᵀ.

One letter per dimension, the same in every signature: B batch, T positions, V vocabulary, D model width, n any length.
In formulas also L blocks, F the inner width of a feed-forward layer.
"""

from reference.positional import rotary, sinusoidal
from reference.training import cross_entropy
from reference.transformer import gelu, layer_norm, rms_norm, swiglu
from reference.transformer_functions.corruption import corrupt
from reference.transformer_functions.decoding import decoder, decoder_block
from reference.transformer_functions.encoding import encoder
from reference.transformer_functions.learning import train_decoder

__all__ = [
    "corrupt",
    "cross_entropy",
    "decoder",
    "decoder_block",
    "encoder",
    "gelu",
    "layer_norm",
    "rms_norm",
    "rotary",
    "sinusoidal",
    "swiglu",
    "train_decoder",
]
