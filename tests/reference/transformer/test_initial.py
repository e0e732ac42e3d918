"""How models start: from their generator alone, by one rule, tied where they say so; and how they move and are kept."""

import copy
import io

import pytest
import torch
from torch import nn

from reference.transformer import (
    GPT2,
    Bert,
    BertConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    GPT2Config,
    LayerNorm,
    Llama,
    LlamaConfig,
    RMSNorm,
    ViT,
    ViTConfig,
)

LARGE = {"width": 64, "n_heads": 4, "inner_width": 128}
MODELS = [
    (GPT2, GPT2Config(vocab_size=100, context_length=50, n_layers=2, **LARGE)),
    (GPT2, GPT2Config(vocab_size=100, context_length=50, n_layers=2, tied=False, **LARGE)),
    (Llama, LlamaConfig(vocab_size=100, context_length=50, n_layers=2, n_groups=2, **LARGE)),
    (Bert, BertConfig(vocab_size=100, context_length=50, n_layers=2, **LARGE)),
    (EncoderDecoder, EncoderDecoderConfig(vocab_size=100, n_encoder_layers=2, n_decoder_layers=2, **LARGE)),
    (ViT, ViTConfig(image_size=32, patch_size=8, n_channels=3, n_classes=60, n_layers=2, **LARGE)),
]
models = pytest.mark.parametrize(("model", "config"), MODELS, ids=lambda case: getattr(case, "__name__", ""))


def build(model, config, seed=0):
    return model(config, generator=torch.Generator().manual_seed(seed))


@models
def test_torchs_generator_is_neither_read_nor_moved(model, config):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = build(model, config).state_dict()
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        second = build(model, config).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@models
def test_another_seed_draws_other_weights(model, config):
    first, second = (build(model, config, seed).state_dict() for seed in (0, 1))
    drawn = [name for name, weight in first.items() if weight.unique().numel() > 1]
    assert drawn
    assert not any(torch.equal(first[name], second[name]) for name in drawn)


@models
def test_weights_start_by_the_rule(model, config):
    """Each drawn tensor: mean 0 and deviation 0.02, within five standard errors."""
    for name, weight in build(model, config).named_parameters():
        assert weight.dtype == torch.float64
        assert weight.requires_grad
        if name.endswith("bias"):
            assert (weight == 0).all(), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        else:
            error = 0.02 / weight.numel() ** 0.5
            assert abs(weight.mean()) < 5 * error, name
            assert abs(weight.std() - 0.02) < 5 * error / 2**0.5, name


@models
def test_every_projection_is_a_linear_layer(model, config):
    """So that adapters find them; nothing else of a model has a matrix but its tables."""
    built = build(model, config)
    owners = {id(one.weight) for one in built.modules() if isinstance(one, nn.Linear | nn.Embedding)}
    assert {id(weight) for weight in built.parameters() if weight.dim() > 1} == owners


@models
def test_every_parameter_gets_a_gradient(model, config):
    built = build(model, config)
    inputs = {
        ViT: lambda: (torch.ones(1, 3, 32, 32, dtype=torch.float64),),
        EncoderDecoder: lambda: (torch.arange(100)[None], torch.arange(100)[None]),
    }
    given = inputs.get(model, lambda: (torch.arange(50)[None],))()
    outputs = built(*given)
    sum(one.square().sum() for one in (outputs if isinstance(outputs, tuple) else (outputs,))).backward()
    assert all(weight.grad is not None for weight in built.parameters())


@models
def test_copies_and_files_keep_ties_and_weights(model, config):
    built = build(model, config)
    kept = io.BytesIO()
    torch.save(built.state_dict(), kept)
    kept.seek(0)
    restored = build(model, config, seed=1)
    restored.load_state_dict(torch.load(kept))
    for other in (restored, copy.deepcopy(built)):
        ours, theirs = dict(built.named_parameters()), dict(other.named_parameters())
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("tied", [True, False])
def test_tied_weights_are_one_parameter(tied):
    model = build(GPT2, GPT2Config(vocab_size=9, context_length=5, n_layers=1, tied=tied, **LARGE))
    assert (model.lm_head.weight is model.token_embedding.weight) is tied


@pytest.mark.gpu
@models
def test_on_a_gpu_as_on_the_cpu(model, config, generator):
    built = build(model, config)
    if model is ViT:
        given = (torch.randn(2, 3, 32, 32, generator=generator, dtype=torch.float64),)
    else:
        given = tuple(torch.randint(100, (2, 20), generator=generator) for _ in range(1 + (model is EncoderDecoder)))
    expected = built(*given)
    actual = built.to("cuda")(*(one.to("cuda") for one in given))
    torch.testing.assert_close(
        [one.cpu() for one in (actual if isinstance(actual, tuple) else (actual,))],
        list(expected if isinstance(expected, tuple) else (expected,)),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.gpu
@models
def test_a_gpus_generator_draws_on_the_gpu(model, config):
    built = model(config, generator=torch.Generator("cuda").manual_seed(0))
    assert {weight.device.type for weight in built.parameters()} == {"cuda"}


@pytest.mark.gpu
@pytest.mark.parametrize("model", [GPT2, Llama])
def test_caches_on_a_gpu(model, generator):
    config = next(config for kind, config in MODELS if kind is model)
    built = build(model, config).to("cuda")
    ids, cache = torch.randint(100, (2, 20), generator=generator).to("cuda"), built.new_cache()
    steps = torch.cat([built(part, cache) for part in ids.split([7, 13], dim=1)], dim=1)
    torch.testing.assert_close(steps, built(ids), rtol=0, atol=1e-12)


def test_norms_are_made_where_they_are_told():
    for norm in (LayerNorm(3, device=torch.device("meta")), RMSNorm(3, device=torch.device("meta"))):
        assert {weight.device.type for weight in norm.parameters()} == {"meta"}
