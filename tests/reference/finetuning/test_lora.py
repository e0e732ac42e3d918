"""LoRA against peft, on a layer and on a tiny Llama; merging, ties and refusals."""

import math

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from reference.finetuning import LoRALinear, add_lora, merge_lora
from reference.transformer import count_parameters

PATTERN = r".*\.(q_proj|v_proj|down_proj)"


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def tiny_llama():
    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=31,
        max_position_embeddings=16,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return LlamaForCausalLM(config).double().eval()


def with_peft(model, *, rank, alpha, stabilised):
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=PATTERN, use_rslora=stabilised, lora_dropout=0.0)
    return peft.get_peft_model(model, config).double().eval()


def same_adapters(ours, theirs, generator):
    """Give both the same random A and B; returns (our layer, peft's layer) for each."""
    pairs = []
    for name, layer in ours.named_modules():
        if isinstance(layer, LoRALinear):
            twin = theirs.base_model.model.get_submodule(name)
            nn.init.normal_(layer.a, generator=generator)
            nn.init.normal_(layer.b, generator=generator)
            twin.lora_A["default"].weight.data.copy_(layer.a.data)
            twin.lora_B["default"].weight.data.copy_(layer.b.data)
            pairs.append((layer, twin))
    return pairs


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft's call of transformers
@pytest.mark.parametrize("stabilised", [False, True])
@pytest.mark.parametrize(("rank", "alpha"), [(4, 16.0), (20, 0.5)])  # 20: above both widths of a projection
def test_a_llama_with_lora_is_pefts(rank, alpha, stabilised, generator, proof) -> None:
    ours, ids = tiny_llama(), torch.tensor([[1, 5, 9, 30, 0], [2, 2, 2, 2, 2]])
    plain = ours(ids).logits
    theirs = with_peft(tiny_llama(), rank=rank, alpha=alpha, stabilised=stabilised)
    names = add_lora(ours, PATTERN, rank, alpha, generator, rank_stabilised=stabilised)
    assert torch.equal(ours(ids).logits, plain)  # B starts at 0

    proof(add_lora, "peft get_peft_model").equal(
        names, [name.removeprefix("base_model.model.") for name in adapted(theirs)]
    )
    proof(count_parameters, "peft get_nb_trainable_parameters").equal(
        (count_parameters(ours, trainable=True), count_parameters(ours)), theirs.get_nb_trainable_parameters()
    )

    pairs = same_adapters(ours, theirs, generator)
    logits = ours(ids).logits
    assert (logits - plain).abs().max() > 1e-3  # the adapters do something
    proof(LoRALinear, "peft LoraConfig").close(logits, theirs(ids).logits, within=1e-10)

    logits.square().sum().backward()
    theirs(ids).logits.square().sum().backward()
    for layer, twin in pairs:
        proof(LoRALinear, "peft LoraConfig").close(layer.a.grad, twin.lora_A["default"].weight.grad, within=1e-10)
        proof(LoRALinear, "peft LoraConfig").close(layer.b.grad, twin.lora_B["default"].weight.grad, within=1e-10)
        assert layer.base.weight.grad is None

    assert merge_lora(ours) == names
    merged = theirs.merge_and_unload()
    assert [type(module) for module in ours.modules()] == [type(module) for module in merged.modules()]
    proof(merge_lora, "peft merge_and_unload").close(ours(ids).logits, merged(ids).logits, within=1e-10)
    for (name, weights), (twin_name, twin_weights) in zip(
        ours.state_dict().items(), merged.state_dict().items(), strict=True
    ):
        assert name == twin_name
        proof(merge_lora, "peft merge_and_unload").close(weights, twin_weights, within=1e-14)
    assert count_parameters(ours, trainable=True) == 0


def adapted(model):
    return [name for name, module in model.named_modules() if isinstance(module, peft.tuners.lora.Linear)]


def test_it_starts_as_peft_starts(proof) -> None:
    model = nn.Sequential(nn.Linear(5, 3, dtype=torch.float64))
    theirs = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["0"])).double().base_model.model[0]
    with torch.random.fork_rng():
        torch.manual_seed(11)
        theirs.reset_lora_parameters("default", True)
    ours = LoRALinear(nn.Linear(5, 3, dtype=torch.float64), 2, 8.0, torch.Generator().manual_seed(11))
    for weights, drawn in ((ours.a, theirs.lora_A), (ours.b, theirs.lora_B)):  # draw for draw
        proof(LoRALinear, "peft LoraLayer.reset_lora_parameters").close(weights, drawn["default"].weight, within=0.0)


def test_a_is_uniform_within_its_bounds(generator) -> None:
    a = LoRALinear(nn.Linear(16, 2, dtype=torch.float64), 4000, 1.0, generator).a.detach()
    assert a.abs().max() <= 1 / 4
    assert a.abs().max() > 0.2499
    assert a.std().item() == pytest.approx(1 / 4 / math.sqrt(3), rel=0.01)  # 64,000 draws: a standard error of 0.3 %


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.booleans(), st.floats(1e-3, 1e3), st.integers(0, 2**31)
)
def test_merge_and_unmerge_are_exact_up_to_rounding(d, k, rank, bias, alpha, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    layer = LoRALinear(nn.Linear(d, k, bias=bias, dtype=torch.float64), rank, alpha, generator)
    nn.init.normal_(layer.b, generator=generator)
    x, before = normal(generator, 3, d), layer.base.weight.detach().clone()
    outputs = layer(x)
    update = layer.scaling * layer.b @ layer.a
    layer.merge()
    size = (before.abs() + update.abs()).max().item()
    torch.testing.assert_close(layer.base.weight, before + update, rtol=0, atol=1e-15 * size)
    # sums of d + rank terms of at most the size of weights times inputs, here far below 1e3 roundings of 1e-16
    torch.testing.assert_close(layer(x), outputs, rtol=0, atol=1e-13 * max(1.0, size * x.abs().sum().item()))
    layer.unmerge()
    assert ((layer.base.weight - before).abs() <= 2.0**-52 * (before.abs() + update.abs())).all()
    assert torch.equal(layer(x).isnan(), torch.zeros_like(outputs, dtype=torch.bool))


def test_merged_is_the_base_alone_and_unmerged_learns_again(generator, proof) -> None:
    layer = LoRALinear(nn.Linear(4, 3, dtype=torch.float64), 2, 6.0, generator)
    nn.init.normal_(layer.b, generator=generator)
    x = normal(generator, 5, 4)
    (w, bias), a, b = ([p.tolist() for p in layer.base.parameters()], layer.a.tolist(), layer.b.tolist())
    effective = [[w[k][d] + 6.0 / 2 * sum(b[k][r] * a[r][d] for r in range(2)) for d in range(4)] for k in range(3)]
    expected = [[bias[k] + sum(effective[k][d] * row[d] for d in range(4)) for k in range(3)] for row in x.tolist()]
    proof(LoRALinear, "brute force").close(layer(x), expected, within=1e-13)
    layer.merge()
    assert torch.equal(layer(x), layer.base(x))
    assert not layer(x).requires_grad
    layer.unmerge()
    assert layer(x).requires_grad


def test_only_a_and_b_move_in_training(generator) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    add_lora(model, "0", 2, 4.0, generator)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model(normal(generator, 6, 4)).square().sum().backward()
        optimizer.step()
    changed = {name for name, values in model.state_dict().items() if not torch.equal(values, before[name])}
    assert changed == {"0.a", "0.b"}


def test_a_second_pattern_keeps_the_first_adapters_training(generator) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).double()
    add_lora(model, "0", 1, 1.0, generator)
    assert add_lora(model, ".*", 1, 1.0, generator) == ["1"]  # neither an adapter nor its base is wrapped again
    trains = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trains == ["0.a", "0.b", "1.a", "1.b"]


def test_a_layer_under_two_names_gets_one_adapter(generator) -> None:
    shared = nn.Linear(3, 3).double()
    model = nn.ModuleDict({"encoder": nn.Sequential(shared), "decoder": nn.Sequential(shared)})
    assert add_lora(model, ".*", 1, 1.0, torch.Generator().manual_seed(3)) == ["encoder.0", "decoder.0"]
    assert model["encoder"][0] is model["decoder"][0]
    assert torch.equal(model["encoder"][0].a, LoRALinear(shared, 1, 1.0, generator).a)  # drawn once: seed 3, too
    nn.init.ones_(model["encoder"][0].b)
    expected = model["encoder"][0](torch.ones(1, 3).double())
    assert merge_lora(model) == ["encoder.0", "decoder.0"]
    assert model["decoder"][0] is shared
    torch.testing.assert_close(shared(torch.ones(1, 3).double()), expected, rtol=0, atol=1e-14)


def test_merging_a_tied_head_leaves_the_embedding_alone(generator) -> None:
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=11, n_positions=5)).double()
    embedding = model.transformer.wte.weight.detach().clone()
    add_lora(model, "lm_head", 2, 1.0, generator)
    nn.init.ones_(model.lm_head.b)
    merge_lora(model)
    assert torch.equal(model.transformer.wte.weight, embedding)
    assert not torch.equal(model.lm_head.weight, embedding)


def test_what_was_merged_by_hand_is_not_merged_twice(generator) -> None:
    model = nn.Sequential(nn.Linear(16, 16)).double()
    add_lora(model, "0", 1, 1.0, generator)
    nn.init.normal_(model[0].b, generator=generator)
    model[0].merge()
    merged = model[0].base.weight.detach().clone()
    nn.init.zeros_(model[0].a)  # too late: the weight holds the update already
    merge_lora(model)
    assert torch.equal(model[0].weight, merged)


def test_a_model_without_adapters_is_left_alone() -> None:
    assert merge_lora(nn.Sequential(nn.Linear(2, 2))) == []


def test_subclasses_of_linear_and_the_model_itself_are_not_wrapped(generator) -> None:
    attention = nn.MultiheadAttention(4, 2, dtype=torch.float64)  # reads its out_proj's weight, never calls it
    with pytest.raises(ValueError, match=r"got none for '\.\*'"):
        add_lora(attention, ".*", 1, 1.0, generator)
    with pytest.raises(ValueError, match=r"got none for '\.\*'"):
        add_lora(nn.Linear(2, 2).double(), ".*", 1, 1.0, generator)


@pytest.mark.parametrize(
    ("pattern", "rank", "alpha", "message"),
    [
        ("(", 1, 1.0, "pattern: expected a regular expression"),
        ("proj", 1, 1.0, "pattern: expected a match among the model's linear layers, got none for 'proj'"),
        ("0", 0, 1.0, "rank: expected 1 or more, got 0"),
        ("0", 1, 0.0, "alpha: expected a finite number above 0, got 0.0"),
        ("0", 1, math.nan, "alpha: expected a finite number above 0, got nan"),
        ("0", 1, math.inf, "alpha: expected a finite number above 0, got inf"),
        ("0|1", 1, 1.0, "base: expected weights of torch.float64, got torch.float32"),
    ],
)
def test_bad_adapters_wrap_nothing(pattern, rank, alpha, message, generator) -> None:
    model = nn.Sequential(nn.Linear(2, 2).double(), nn.Linear(2, 2))
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        add_lora(model, pattern, rank, alpha, generator)
    assert [type(module) for module in model] == [nn.Linear, nn.Linear]


def test_bad_calls(generator) -> None:
    layer = LoRALinear(nn.Linear(3, 2, dtype=torch.float64), 1, 1.0, generator)
    with pytest.raises(ValueError, match="x: expected a width of 3, got 2"):
        layer(torch.zeros(1, 2, dtype=torch.float64))
    with pytest.raises(TypeError):
        layer(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="expected a layer that is merged"):
        layer.unmerge()
    layer.merge()
    with pytest.raises(ValueError, match="expected a layer that is not merged"):
        layer.merge()


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 3, 4)])
def test_every_shape_of_rows(shape, generator) -> None:
    layer = LoRALinear(nn.Linear(4, 2, dtype=torch.float64), 1, 1.0, generator)
    assert layer(normal(generator, *shape)).shape == (*shape[:-1], 2)


@pytest.mark.gpu
def test_lora_on_gpu(generator) -> None:
    base = nn.Linear(4, 3, dtype=torch.float64)
    there = nn.Linear(4, 3, dtype=torch.float64, device="cuda")
    there.load_state_dict(base.state_dict())
    seeds = [torch.Generator().manual_seed(1) for _ in range(2)]
    ours, theirs = LoRALinear(there, 2, 8.0, seeds[0]), LoRALinear(base, 2, 8.0, seeds[1])
    x = normal(generator, 5, 4)
    for layer in (ours, theirs):
        nn.init.ones_(layer.b)
    assert ours(x.cuda()).is_cuda
    torch.testing.assert_close(ours(x.cuda()).cpu(), theirs(x), rtol=0, atol=1e-13)


def test_a_refused_layer_leaves_the_whole_model_as_it_was(generator) -> None:
    model = nn.Sequential(nn.Linear(2, 2).double(), nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"base: expected weights of torch\.float64, got torch\.float32"):
        add_lora(model, ".*", 1, 1.0, generator)
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear]
    assert all(parameter.requires_grad for parameter in model.parameters())
