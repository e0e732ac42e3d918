"""Results are where the inputs are, and nothing on the way is elsewhere: shown on a device that every machine has.

Tensors on "meta" have a shape and no values. An operation that mixes them with a tensor on the CPU fails, as it would
on a GPU; so a tensor that was made without looking at the inputs' device is found. Rules about values cannot be looked
up there: `all()` counts as true and `any()` as false. What reads single values (`item`, `tolist`, boolean indexing) is
for the tests marked `gpu`, and so is whether the numbers are the same.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from reference import (
    alignment,
    attention,
    evaluation,
    finetuning,
    neural_lm,
    positional,
    sampling,
    training,
    transformer,
)
from reference.embeddings import skipgram_loss, skipgram_step

B, T, S, D, V = 2, 4, 6, 8, 11


class Verdict:
    """What `all()` or `any()` says without looking."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return self.value


class WithoutValues(TorchFunctionMode):
    """Every rule about values holds."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in {"all", "any"} and len(args) == 1 and not kwargs:
            return Verdict(name == "all")
        return function(*args, **(kwargs or {}))


def real(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64, device="meta")


def ids(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64, device="meta")


def true(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool, device="meta")


def drawn(make: Callable[[torch.Generator], nn.Module]) -> nn.Module:
    """A module whose weights were drawn on the CPU, and moved."""
    return make(torch.Generator()).to("meta")


def gpt2() -> transformer.GPT2:
    sizes = {"vocab_size": V, "context_length": T + S, "width": D, "n_layers": 2, "n_heads": 2, "inner_width": 9}
    return drawn(lambda generator: transformer.GPT2(transformer.GPT2Config(**sizes), generator=generator))


def llama(window: int | None = None) -> transformer.Llama:
    sizes = {"vocab_size": V, "context_length": T + S, "width": D, "n_layers": 2, "n_heads": 4, "inner_width": 9}
    config = transformer.LlamaConfig(n_groups=2, window=window, **sizes)
    return drawn(lambda generator: transformer.Llama(config, generator=generator))


def cached(model: transformer.GPT2 | transformer.Llama) -> Tensor:
    cache = model.new_cache()
    model(ids(B, T), cache)
    return model(ids(B, 2), cache)


def bert() -> transformer.Bert:
    config = transformer.BertConfig(vocab_size=V, context_length=S, width=D, n_layers=1, n_heads=2, inner_width=9)
    return drawn(lambda generator: transformer.Bert(config, generator=generator))


def encoder_decoder() -> transformer.EncoderDecoder:
    sizes = {"vocab_size": V, "width": D, "n_encoder_layers": 1, "n_decoder_layers": 1, "n_heads": 2, "inner_width": 9}
    config = transformer.EncoderDecoderConfig(**sizes)
    return drawn(lambda generator: transformer.EncoderDecoder(config, generator=generator))


def lora() -> nn.Module:
    linear = nn.Linear(D, 3, dtype=torch.float64)
    return drawn(lambda generator: finetuning.LoRALinear(linear, 2, 4.0, generator))


def bengio() -> neural_lm.BengioWeights:
    return neural_lm.BengioWeights(C=real(V, 3), H=real(5, 6), d=real(5), U=real(V, 5), b=real(V), W=real(V, 6))


CALLS: dict[str, Callable[[], object]] = {
    "softmax": lambda: attention.softmax(real(B, T)),
    "scaled_dot_product": lambda: attention.scaled_dot_product(real(B, T, D), real(B, S, D), real(B, S, 3), true(T, S)),
    "causal_mask": lambda: attention.causal_mask(T, device=torch.device("meta")),
    "sliding_window_mask": lambda: attention.sliding_window_mask(T, 2, device=torch.device("meta")),
    "padding_mask": lambda: attention.padding_mask(ids(B), T),
    "multi_head": lambda: attention.multi_head(real(B, T, D), *[real(D, D)] * 4, n_heads=2, causal=True),
    "cross_attention": lambda: attention.cross_attention(real(B, T, D), real(B, S, D), *[real(D, D)] * 4, n_heads=2),
    "grouped_query": lambda: attention.grouped_query(real(B, 4, T, D), real(B, 2, S, D), real(B, 2, S, 3)),
    "multi_head_step": lambda: attention.multi_head_step(
        real(B, T, D), *[real(D, D)] * 4, n_heads=2, cache=attention.KVCache()
    ),
    "cached_multi_head": lambda: attention.cached_multi_head(
        real(B, T, D), *[real(D, D)] * 4, n_heads=2, cache=(real(B, S, D), real(B, S, D))
    )[0],
    "tiled_attention": lambda: attention.tiled_attention(
        real(B, T, D), real(B, S, D), real(B, S, 3), block_size=3, window=2, lengths=ids(B)
    ),
    "sinusoidal": lambda: positional.sinusoidal(T, D, device=torch.device("meta")),
    "learned": lambda: positional.learned(real(S, D), ids(B, T)),
    "rotary": lambda: positional.rotary(real(B, T, D), ids(T)),
    "rotary, adjacent": lambda: positional.rotary(real(B, T, D), ids(T), adjacent=True),
    "gelu": lambda: transformer.gelu(real(B, T)),
    "gelu_tanh": lambda: transformer.gelu_tanh(real(B, T)),
    "swiglu": lambda: transformer.swiglu(real(B, T), real(B, T)),
    "layer_norm": lambda: transformer.layer_norm(real(B, D), real(D), real(D)),
    "rms_norm": lambda: transformer.rms_norm(real(B, D), real(D)),
    "image_patches": lambda: transformer.image_patches(real(B, 3, 4, 4), 2),
    "GPT2": lambda: gpt2()(ids(B, T)),
    "GPT2, cached": lambda: cached(gpt2()),
    "Llama": lambda: llama()(ids(B, T)),
    "Llama, cached, with a window": lambda: cached(llama(window=2)),
    "Bert": lambda: bert()(ids(B, T), ids(B, T), true(B, T)),
    "EncoderDecoder": lambda: encoder_decoder()(ids(B, S), ids(B, T), true(B, S)),
    "linear_loss": lambda: neural_lm.linear_loss(real(V, V), ids(T), ids(T)),
    "bengio_loss": lambda: neural_lm.bengio_loss(bengio(), ids(T, 2), ids(T))[0],
    "bengio_step": lambda: neural_lm.bengio_step(bengio(), ids(T, 2), ids(T), learning_rate=0.1)[1].C,
    "cross_entropy_and_gradient": lambda: neural_lm.cross_entropy_and_gradient(real(T, V), ids(T)),
    "skipgram_loss": lambda: skipgram_loss(real(V, D), real(V, D), ids(B), ids(B), ids(B, 3)),
    "skipgram_step": lambda: skipgram_step(real(V, D), real(V, D), ids(B), ids(B), ids(B, 3), learning_rate=0.1),
    "corrupt": lambda: training.corrupt(ids(B, T), mask_id=1, n_tokens=V, special_ids={0}, generator=torch.Generator()),
    "greedy": lambda: sampling.greedy(real(B, V)),
    "with_temperature": lambda: sampling.with_temperature(real(B, V), 0.5),
    "top_k": lambda: sampling.top_k(real(B, V), 3),
    "top_p": lambda: sampling.top_p(real(B, V), 0.5),
    "repetition_penalty": lambda: sampling.repetition_penalty(real(B, V), ids(B, T), 2.0),
    "LoRALinear": lambda: lora()(real(B, D)),
    "distillation_loss": lambda: finetuning.distillation_loss(real(B, V), real(B, V), ids(B), 2.0, 0.5),
    "quantise": lambda: finetuning.quantise(real(3, D)),
    "int8_linear": lambda: finetuning.int8_linear(real(B, D), real(3, D).to(torch.int8), real(3)),
    "token_logprobs": lambda: alignment.token_logprobs(real(B, T, V), ids(B, T)),
    "sequence_logprobs": lambda: alignment.sequence_logprobs(real(B, T, V), ids(B, T), true(B, T)),
    "pairwise_losses": lambda: alignment.pairwise_losses(real(B), real(B)),
    "dpo_losses": lambda: alignment.dpo_losses(real(B), real(B)),
    "generalised_advantages": lambda: alignment.generalised_advantages(
        real(B, T), real(B, T + 1), true(B, T), 0.9, 0.9
    ),
    "policy_losses": lambda: alignment.policy_losses(real(B, T), real(B, T), real(B, T), 0.2),
    "value_losses": lambda: alignment.value_losses(real(B, T), real(B, T), real(B, T), 0.2),
    "token_log_probabilities": lambda: evaluation.token_log_probabilities(real(B, T, V), ids(B, T)),
}


@pytest.mark.parametrize("name", CALLS)
def test_everything_is_where_the_inputs_are(name) -> None:
    with WithoutValues():
        results = CALLS[name]()
    for result in results if isinstance(results, tuple) else (results,):
        assert result.device.type == "meta"


def test_a_tensor_left_on_the_cpu_is_found() -> None:
    with WithoutValues(), pytest.raises(RuntimeError, match=r"cpu"):
        attention.scaled_dot_product(real(B, T, D), real(B, T, D), real(B, T, D), attention.causal_mask(T))
