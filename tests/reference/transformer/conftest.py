"""For the proofs of whole models: our model and transformers' with the same weights, both in float64.

Their models cast to float32 in three places, also when all weights are float64: RMSNorm's mean square, the angles of
rotary positions, and the softmax of Llama, Mistral and ViT. `in_float64` reads `torch.float32` and `torch.float` in
those files as `torch.float64`, and changes nothing else; without it logits differ by up to 6e-7.

Marian's table of positions is our `sinusoidal`, whose columns stand in another order (theirs: all sines, then all
cosines) and are not rounded to float32.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers.models.llama import modeling_llama
from transformers.models.mistral import modeling_mistral
from transformers.models.vit import modeling_vit

sys.path.append(str(Path(__file__).parent))  # tests have no packages
import their_weights

from reference.positional import sinusoidal
from reference.transformer import (
    GPT2,
    Bert,
    BertConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    GPT2Config,
    Llama,
    LlamaConfig,
    ViT,
    ViTConfig,
)

EAGER = {"attn_implementation": "eager"}
NO_SPECIAL_TOKENS = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}  # a pad token gets no gradient


@dataclass(frozen=True)
class Twins:
    """Two models with the same weights."""

    ours: nn.Module
    theirs: Any
    table: their_weights.Table

    def their_gradients(self) -> dict[str, Tensor]:
        """After their backward pass, under our names."""
        named = dict(self.theirs.named_parameters(remove_duplicate=False))
        return their_weights.translated({name: weight.grad for name, weight in named.items()}, self.table)

    def our_gradients(self) -> dict[str, Tensor]:
        """After our backward pass."""
        return {name: weight.grad for name, weight in self.ours.named_parameters(remove_duplicate=False)}


class Float64Torch:
    """The module torch, in which float32 means float64."""

    float32 = float = torch.float64

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


@pytest.fixture(autouse=True)
def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their casts to float32 stay in float64."""
    for module in (modeling_llama, modeling_mistral, modeling_vit):
        monkeypatch.setattr(module, "torch", Float64Torch())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, whatever the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def twins(generator: torch.Generator) -> Callable[..., Twins]:
    """`twins(config)`: both models, every weight standard normal times 0.5, so that no part is small."""

    def pair(config: Any) -> Twins:
        ours, build, table = MODELS[type(config)]
        with torch.random.fork_rng():  # theirs draw from the global generator
            theirs = build(config).double().eval()
        with torch.no_grad():
            for name, weight in theirs.named_parameters():
                if "embed_positions" not in name:
                    weight.normal_(0.0, 0.5, generator=generator)
        mine = ours(config, generator=generator)
        mine.load_state_dict(their_weights.translated(dict(theirs.named_parameters(remove_duplicate=False)), table))
        return Twins(mine, theirs, table)

    return pair


def gpt2(config: GPT2Config) -> nn.Module:
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context_length,
            n_embd=config.width,
            n_layer=config.n_layers,
            n_head=config.n_heads,
            n_inner=config.inner_width,
            layer_norm_epsilon=config.epsilon,
            tie_word_embeddings=config.tied,
            **NO_SPECIAL_TOKENS,
            **EAGER,
        )
    )


def llama(config: LlamaConfig) -> nn.Module:
    sizes = {
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "hidden_size": config.width,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_groups,
        "intermediate_size": config.inner_width,
        "rms_norm_eps": config.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": float(config.rotary_base)},
        "tie_word_embeddings": config.tied,
        **NO_SPECIAL_TOKENS,
        **EAGER,
    }
    if config.window is None:
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    return transformers.MistralForCausalLM(transformers.MistralConfig(**sizes, sliding_window=config.window))


def bert(config: BertConfig) -> nn.Module:
    return transformers.BertForPreTraining(
        transformers.BertConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.context_length,
            hidden_size=config.width,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            intermediate_size=config.inner_width,
            type_vocab_size=config.n_segments,
            layer_norm_eps=config.epsilon,
            **NO_SPECIAL_TOKENS,
            **EAGER,
        )
    )


def marian(config: EncoderDecoderConfig) -> nn.Module:
    model = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=config.vocab_size,
            d_model=config.width,
            encoder_layers=config.n_encoder_layers,
            decoder_layers=config.n_decoder_layers,
            encoder_attention_heads=config.n_heads,
            decoder_attention_heads=config.n_heads,
            encoder_ffn_dim=config.inner_width,
            decoder_ffn_dim=config.inner_width,
            activation_function="relu",
            scale_embedding=True,
            max_position_embeddings=64,
            decoder_start_token_id=0,
            forced_eos_token_id=None,
            **NO_SPECIAL_TOKENS,
            **EAGER,
        )
    ).double()
    for half in (model.model.encoder, model.model.decoder):
        half.embed_positions.weight.data = sinusoidal(64, config.width)
    return model


def vit(config: ViTConfig) -> nn.Module:
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            image_size=config.image_size,
            patch_size=config.patch_size,
            num_channels=config.n_channels,
            num_labels=config.n_classes,
            hidden_size=config.width,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            intermediate_size=config.inner_width,
            layer_norm_eps=config.epsilon,
            **EAGER,
        )
    )


MODELS: dict[type, tuple[Any, Callable[..., nn.Module], their_weights.Table]] = {
    GPT2Config: (GPT2, gpt2, their_weights.GPT2),
    LlamaConfig: (Llama, llama, their_weights.LLAMA),
    BertConfig: (Bert, bert, their_weights.BERT),
    EncoderDecoderConfig: (EncoderDecoder, marian, their_weights.MARIAN),
    ViTConfig: (ViT, vit, their_weights.VIT),
}


@pytest.fixture
def draw_ids(generator: torch.Generator) -> Callable[..., Tensor]:
    """`draw_ids(7, 2, 5)`: token ids below 7, shape (2, 5)."""
    return lambda n_tokens, *shape: torch.randint(n_tokens, shape, generator=generator)


@pytest.fixture
def normal(generator: torch.Generator) -> Callable[..., Tensor]:
    """`normal(2, 3)`: standard normal in float64."""
    return lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)
