"""Parameter counts: formula = sum over our parameters = what transformers says; published sizes; defaults."""

from dataclasses import replace

import pytest
import transformers
from torch import nn

from reference.transformer import (
    BertConfig,
    EncoderDecoderConfig,
    GPT2Config,
    LlamaConfig,
    ViTConfig,
    count_bert,
    count_encoder_decoder,
    count_gpt2,
    count_llama,
    count_parameters,
    count_vit,
)

GPT2 = GPT2Config(vocab_size=11, context_length=9, width=12, n_layers=2, n_heads=3, inner_width=20)
LLAMA = LlamaConfig(vocab_size=11, context_length=9, width=16, n_layers=2, n_heads=4, n_groups=2, inner_width=20)
BERT = BertConfig(vocab_size=11, context_length=9, width=12, n_layers=2, n_heads=3, inner_width=20)
ENCODER_DECODER = EncoderDecoderConfig(
    vocab_size=11, width=12, n_encoder_layers=2, n_decoder_layers=3, n_heads=3, inner_width=20
)
VIT = ViTConfig(image_size=8, patch_size=4, n_channels=3, n_classes=5, width=12, n_layers=2, n_heads=3, inner_width=20)
CASES = [
    (count_gpt2, GPT2),
    (count_gpt2, replace(GPT2, tied=False, inner_width=1)),
    (count_gpt2, replace(GPT2, vocab_size=1, n_layers=1, width=3)),
    (count_llama, LLAMA),
    (count_llama, replace(LLAMA, tied=True)),
    (count_llama, replace(LLAMA, n_groups=1, window=3)),
    (count_llama, replace(LLAMA, n_groups=4, n_layers=3)),
    (count_bert, BERT),
    (count_bert, replace(BERT, n_segments=3, n_layers=1, vocab_size=1)),
    (count_encoder_decoder, ENCODER_DECODER),
    (count_encoder_decoder, replace(ENCODER_DECODER, n_encoder_layers=4, n_decoder_layers=1)),
    (count_vit, VIT),
    (count_vit, replace(VIT, image_size=12, n_channels=1, n_classes=1)),
]


@pytest.mark.parametrize(("count", "config"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_formula_sum_and_transformers_agree(twins, proof, count, config):
    pair = twins(config)
    theirs = pair.theirs.num_parameters(only_trainable=True)  # Marian keeps its sines and cosines as frozen parameters
    proof(count, "transformers num_parameters").equal(count(config), theirs)
    proof(count_parameters, "transformers num_parameters").equal(count_parameters(pair.ours), theirs)
    proof(type(config), "transformers num_parameters").equal(count_parameters(pair.ours), count(config))


def test_frozen_parameters_can_be_left_out(proof):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 5))
    model[0].requires_grad_(False)
    proof(count_parameters, "by hand").equal(
        (count_parameters(model), count_parameters(model, trainable=True)), (23, 15)
    )
    assert count_parameters(nn.ReLU()) == 0


def test_published_sizes(proof):
    """The models as released, built without memory: GPT-2 small, Llama 2 7B, Mistral 7B, BERT base, ViT base."""
    llama = LlamaConfig(
        vocab_size=32000, context_length=4096, width=4096, n_layers=32, n_heads=32, n_groups=32, inner_width=11008
    )
    mistral = replace(llama, n_groups=8, inner_width=14336, window=4096)
    proof(count_llama, "Llama 2 7B as released").equal(count_llama(llama), 6_738_415_616)
    proof(count_llama, "Mistral 7B as released").equal(count_llama(mistral), 7_241_732_096)
    gpt2 = GPT2Config(vocab_size=50257, context_length=1024, width=768, n_layers=12, n_heads=12, inner_width=3072)
    proof(count_gpt2, "GPT-2 small as released").equal(count_gpt2(gpt2), 124_439_808)


def test_defaults_are_transformers(proof):
    gpt2, llama, bert, vit = (getattr(transformers, f"{name}Config")() for name in ("GPT2", "Llama", "Bert", "ViT"))
    proof(GPT2Config, "transformers GPT2Config, defaults").equal(
        (GPT2.epsilon, GPT2.tied), (gpt2.layer_norm_epsilon, gpt2.tie_word_embeddings)
    )
    proof(LlamaConfig, "transformers LlamaConfig, defaults").equal(
        (LLAMA.epsilon, LLAMA.tied, LLAMA.rotary_base),
        (llama.rms_norm_eps, llama.tie_word_embeddings, llama.rope_parameters["rope_theta"]),
    )
    proof(BertConfig, "transformers BertConfig, defaults").equal(
        (BERT.epsilon, BERT.n_segments), (bert.layer_norm_eps, bert.type_vocab_size)
    )
    proof(ViTConfig, "transformers ViTConfig, defaults").equal(VIT.epsilon, vit.layer_norm_eps)
    assert ENCODER_DECODER.epsilon == nn.LayerNorm(1).eps  # which Marian takes
    assert LLAMA.window is None


def test_another_models_sizes_are_refused():
    with pytest.raises(TypeError):
        count_gpt2(LLAMA)
    with pytest.raises(TypeError):
        count_parameters(GPT2)
