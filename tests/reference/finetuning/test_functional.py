"""Adapting a model as functions of arrays: held against peft, torch's optimiser and brute force; rules at the edges."""

import math

import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.nn import functional

from reference.finetuning import LoRALinear, answer_loss, encode_messages, fine_tune
from reference.finetuning.functional import (
    answer_mask,
    dpo_loss,
    lora_forward,
    lora_merge,
    lora_parameters,
    lora_start,
    train_lora,
)

MARKERS = {"<|system|>": 256, "<|user|>": 257, "<|assistant|>": 258, "<|end|>": 259}
content = st.text(alphabet="ab<|é", max_size=4)


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def with_peft(weight, a, b, alpha):
    """peft's layer around `weight`, as a model of its own."""
    model = nn.Sequential(nn.Linear(weight.shape[1], weight.shape[0], bias=False)).double()
    model[0].weight.data.copy_(weight)
    config = peft.LoraConfig(r=len(a), lora_alpha=alpha, target_modules=["0"], lora_dropout=0.0)
    theirs = peft.get_peft_model(model, config).double().eval()
    layer = theirs.base_model.model[0]
    layer.lora_A["default"].weight.data.copy_(a)
    layer.lora_B["default"].weight.data.copy_(b)
    return theirs


@given(turns=st.lists(st.tuples(content, content), min_size=1, max_size=3), cut=st.integers(0, 40))
def test_the_mask_is_that_of_the_conversation_that_was_written(turns, cut) -> None:
    messages = [message for asked, said in turns for message in (("user", asked), ("assistant", said))]
    ids, mask = encode_messages(messages, lambda text: list(text.encode()), MARKERS, max_length=cut)
    assert answer_mask(ids, 258, 259) == mask


def test_the_mask_is_what_lies_between_the_markers(rng, proof) -> None:
    ids = rng.integers(4, size=400).tolist()  # markers anywhere: 2 opens, 3 closes
    expected = []
    for t in range(len(ids)):
        before = [token for token in ids[:t] if token in {2, 3}]
        expected.append(before[-1:] == [2])
    proof(answer_mask, "brute force").equal(answer_mask(ids, assistant=2, end=3), expected)


@pytest.mark.parametrize("rank", [1, 3])
def test_the_numbers_that_train_are_pefts(rank, proof) -> None:
    shapes = [(5, 4), (7, 5), (2, 7)]
    model = nn.Sequential(*(nn.Linear(inputs, outputs, bias=False) for outputs, inputs in shapes))
    config = peft.LoraConfig(r=rank, target_modules=["0", "1", "2"])
    trained, every = peft.get_peft_model(model, config).get_nb_trainable_parameters()
    ours = lora_parameters(shapes, rank)
    proof(lora_parameters, "peft get_nb_trainable_parameters").equal(ours, (trained, every - trained))


def test_nothing_to_adapt() -> None:
    assert lora_parameters([], rank=2) == (0, 0)


def test_a_starts_uniform_and_b_at_zero(proof) -> None:
    draws = torch.cat([lora_start(3, 16, rank=4, seed=seed)[0].flatten() for seed in range(200)])
    statistic = stats.kstest(draws.numpy(), stats.uniform(-0.25, 0.5).cdf).statistic
    # Dvoretzky–Kiefer–Wolfowitz: above 0.0254 less than once in 2·10⁶ for 12,800 draws
    proof(lora_start, "scipy kstest, uniform, statistical").close(statistic, 0.0, within=0.0254)
    a, b = lora_start(3, 16, rank=4, seed=5)
    assert (a.shape, b.shape) == ((4, 16), (3, 4))
    assert not b.any()
    assert torch.equal(a, lora_start(3, 16, rank=4, seed=5)[0])
    assert not torch.equal(a, lora_start(3, 16, rank=4, seed=6)[0])


@pytest.mark.parametrize(("k", "d", "rank", "alpha"), [(3, 5, 2, 8.0), (5, 3, 1, 1.0), (4, 4, 6, 3.0)])
def test_outputs_and_merge_are_pefts(k, d, rank, alpha, generator, proof) -> None:
    weight, a, b, x = (normal(generator, *shape) for shape in [(k, d), (rank, d), (k, rank), (2, 6, d)])
    theirs = with_peft(weight, a, b, alpha)
    outputs = lora_forward(x, weight, a, b, alpha)
    proof(lora_forward, "peft LoRA linear layer").close(outputs, theirs(x), within=1e-13)
    merged = lora_merge(weight, a, b, alpha)
    proof(lora_merge, "peft merge_and_unload").close(merged, theirs.merge_and_unload()[0].weight, within=1e-13)
    proof(lora_merge, "lora_forward").close(x @ merged.T, outputs, within=1e-13)


def batch(generator, v=7, d=4, rank=2):
    features, weight, b = (normal(generator, v, n) for n in (d, d, rank))
    a = normal(generator, rank, d)
    ids = torch.randint(v, (3, 6), generator=generator)
    mask = torch.rand(3, 6, generator=generator) < 0.6
    mask[:, 0], mask[0, 1] = False, True
    return features, weight, a, b, ids, mask


def test_a_descent_is_torchs(generator, proof) -> None:
    features, weight, a, b, ids, mask = batch(generator)
    base = nn.Linear(4, 7, bias=False).double()
    base.weight.data.copy_(weight)
    layer = LoRALinear(base, rank=2, alpha=3.0, generator=generator)
    layer.a.data.copy_(a)
    layer.b.data.copy_(b)

    def loss_of(layer, ids):
        targets = ids.masked_fill(~mask, -100)
        return functional.cross_entropy(layer(features[ids])[:, :-1].flatten(0, 1), targets[:, 1:].flatten())

    fine_tune(layer, [ids] * 5, loss_of, torch.optim.SGD([layer.a, layer.b], lr=0.3))
    ours = train_lora(features, weight, a, b, 3.0, ids, mask, learning_rate=0.3, n_steps=5)
    for mine, theirs in zip(ours, (layer.a, layer.b), strict=True):
        proof(train_lora, "torch.optim.SGD, cross_entropy").close(mine, theirs, within=1e-13)


def test_a_step_goes_down_the_slope(generator, proof) -> None:
    features, weight, a, b, ids, mask = batch(generator)
    moved, _ = train_lora(features, weight, a, b, 3.0, ids, mask, learning_rate=1.0, n_steps=1)
    slope = torch.zeros_like(a)
    for place in torch.cartesian_prod(torch.arange(2), torch.arange(4)):
        i, j = place.tolist()
        losses = []
        for step in (1e-6, -1e-6):
            other = a.clone()
            other[i, j] += step
            losses.append(answer_loss(lora_forward(features[ids], weight, other, b, 3.0), ids, mask))
        slope[i, j] = (losses[0] - losses[1]) / 2e-6
    proof(train_lora, "finite differences").close(a - moved, slope, within=1e-8)


def test_no_step_moves_nothing_and_the_first_one_moves_b_alone(generator) -> None:
    features, weight, a, _, ids, mask = batch(generator)
    zero = torch.zeros(7, 2, dtype=torch.float64)
    still = train_lora(features, weight, a, zero, 3.0, ids, mask, learning_rate=0.3, n_steps=0)
    assert torch.equal(still[0], a)
    assert torch.equal(still[1], zero)
    moved = train_lora(features, weight, a, zero, 3.0, ids, mask, learning_rate=0.3, n_steps=1)
    assert torch.equal(moved[0], a)
    assert moved[1].any()


@given(st.lists(st.tuples(*[st.floats(-30, 0)] * 4), min_size=1, max_size=4), st.floats(0.01, 2))
def test_dpo_is_its_sum_over_pairs(pairs, beta) -> None:
    columns = torch.tensor(pairs, dtype=torch.float64).T
    total = 0.0
    for chosen, rejected, before_chosen, before_rejected in pairs:
        margin = beta * ((chosen - before_chosen) - (rejected - before_rejected))
        total += math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0)
    torch.testing.assert_close(dpo_loss(*columns, beta).item(), total / len(pairs), rtol=1e-12, atol=1e-13)


def test_dpo_is_torchs_and_spares_the_reference(generator, proof) -> None:
    policy, reference = -10 * normal(generator, 2, 5).abs(), -10 * normal(generator, 2, 5).abs()
    policy.requires_grad_()
    reference.requires_grad_()
    margins = 0.3 * ((policy[0] - reference[0]) - (policy[1] - reference[1]))
    ours = dpo_loss(*policy, *reference, beta=0.3)
    proof(dpo_loss, "torch logsigmoid").close(ours, -functional.logsigmoid(margins).mean(), within=1e-14)
    ours.backward()
    assert policy.grad is not None
    assert reference.grad is None
    same = dpo_loss(*policy.detach(), *policy.detach(), beta=0.3)
    proof(dpo_loss, "policy equal to reference: log 2").close(same, math.log(2), within=1e-15)


WEIGHT = torch.ones(2, 2, dtype=torch.float64)
NONE = torch.zeros(0, dtype=torch.float64)
TRAINING = (WEIGHT, WEIGHT, WEIGHT, WEIGHT, 1.0, torch.tensor([[0, 1]]), torch.tensor([[False, True]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: answer_mask([1], 2, 2), "end: expected another marker than assistant, got 2 for both"),
        (lambda: lora_parameters([(2, 2)], 0), "rank: expected 1 or more, got 0"),
        (lambda: lora_parameters([(2, -1)], 1), "shapes: expected 0 or more, got -1"),
        (lambda: lora_start(0, 2, 1, 0), "n_outputs: expected 1 or more, got 0"),
        (lambda: lora_start(2, 2, 1, -1), "seed: expected 0 or more, got -1"),
        (lambda: lora_merge(WEIGHT, WEIGHT, WEIGHT, 0.0), "alpha: expected a finite number above 0, got 0.0"),
        (lambda: lora_merge(WEIGHT, WEIGHT[:0], WEIGHT[:, :0], 1.0), "rank: expected 1 or more, got 0"),
        (lambda: train_lora(*TRAINING, 0.0, 1), "learning_rate: expected a finite number above 0, got 0.0"),
        (lambda: train_lora(*TRAINING, 0.1, -1), "n_steps: expected 0 or more, got -1"),
        (lambda: train_lora(*TRAINING[:5], TRAINING[5] + 1, TRAINING[6], 0.1, 1), "ids: expected token ids"),
        (lambda: train_lora(*TRAINING, 1e308, 9), "expected finite values"),
        (lambda: dpo_loss(NONE, NONE, NONE, NONE, 0.1), "policy_chosen: expected at least one pair, got 0"),
        (lambda: dpo_loss(*[NONE.new_zeros(1)] * 4, 0.0), "beta: expected a finite number above 0, got 0.0"),
    ],
)
def test_bad_values(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.gpu
def test_a_descent_on_gpu(generator) -> None:
    features, weight, a, b, ids, mask = batch(generator)
    there = [value.cuda() for value in (features, weight, a, b, ids, mask)]
    ours = train_lora(*there[:4], 3.0, *there[4:], learning_rate=0.3, n_steps=3)
    assert all(value.is_cuda for value in ours)
    for mine, cpu in zip(ours, train_lora(features, weight, a, b, 3.0, ids, mask, 0.3, 3), strict=True):
        torch.testing.assert_close(mine.cpu(), cpu, rtol=0, atol=1e-12)
