"""Which parameters train, how many they are, and the plain loop against updates by hand."""

import math

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from reference.finetuning import fine_tune, train_only
from reference.transformer import count_parameters


def two_layers(generator):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model


def squares(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def batches(generator, n):
    return [
        (
            torch.randn(5, 3, generator=generator, dtype=torch.float64),
            torch.randn(5, 1, generator=generator, dtype=torch.float64),
        )
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (".*", ["0.weight", "0.bias", "2.weight", "2.bias"]),
        (r"2\..*", ["2.weight", "2.bias"]),
        (".*bias", ["0.bias", "2.bias"]),
        ("0.weight|2.bias", ["0.weight", "2.bias"]),
    ],
)
def test_only_what_matches_trains(pattern, expected, generator, proof) -> None:
    model = two_layers(generator)
    model[0].weight.requires_grad_(False)  # whatever trained before is forgotten
    names = train_only(model, pattern)
    proof(train_only, "brute force").equal(
        (names, [name for name, parameter in model.named_parameters() if parameter.requires_grad]), (expected, expected)
    )


def test_a_name_matches_as_a_whole(generator) -> None:
    with pytest.raises(ValueError, match=r"pattern: expected a match among the model's parameters, got none for '0'"):
        train_only(two_layers(generator), "0")


def test_no_regular_expression(generator) -> None:
    with pytest.raises(ValueError, match=r"pattern: expected a regular expression, got '\('"):
        train_only(two_layers(generator), "(")


def test_a_refused_pattern_changes_nothing(generator) -> None:
    model = two_layers(generator)
    train_only(model, "2.*")
    with pytest.raises(ValueError, match="pattern"):
        train_only(model, "nothing")
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, False, True, True]


def test_tied_parameters_train_under_either_name_and_count_once(proof) -> None:
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=11, n_positions=5))
    assert train_only(model, r"lm_head\.weight") == ["transformer.wte.weight"]
    proof(count_parameters, "transformers num_parameters").equal(
        (count_parameters(model, trainable=True), count_parameters(model)),
        (model.num_parameters(only_trainable=True), model.num_parameters()),
    )
    assert count_parameters(model, trainable=True) == 11 * 8


@pytest.mark.parametrize("pattern", [".*", r"2\..*"])
def test_the_loop_is_gradient_descent(pattern, generator, proof) -> None:
    model, data = two_layers(generator), batches(generator, 3)
    train_only(model, pattern)
    weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = fine_tune(model, data, squares, optimizer)
    expected = []
    for x, y in data:  # the same by the chain rule, written out
        hidden = torch.tanh(x @ weights["0.weight"].T + weights["0.bias"])
        error = hidden @ weights["2.weight"].T + weights["2.bias"] - y
        expected.append(error.square().mean().item())
        d_output = 2 * error / len(x)
        d_hidden = d_output @ weights["2.weight"] * (1 - hidden**2)
        gradients = {
            "0.weight": d_hidden.T @ x,
            "0.bias": d_hidden.sum(0),
            "2.weight": d_output.T @ hidden,
            "2.bias": d_output.sum(0),
        }
        weights = {name: w - 0.1 * gradients[name] * (name in trains) for name, w in weights.items()}
    proof(fine_tune, "brute force").close(losses, expected, within=1e-13)
    for name, parameter in model.named_parameters():
        proof(fine_tune, "brute force").close(parameter, weights[name], within=1e-13)


def test_frozen_parameters_keep_their_bits_under_weight_decay(generator) -> None:
    model = two_layers(generator)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    train_only(model, "2.*")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    fine_tune(model, batches(generator, 2), squares, optimizer)
    assert torch.equal(model[0].weight, before["0.weight"])
    assert torch.equal(model[0].bias, before["0.bias"])
    assert not torch.equal(model[2].weight, before["2.weight"])


def test_no_batch_no_step(generator) -> None:
    model = two_layers(generator)
    before = model[0].weight.detach().clone()
    assert fine_tune(model, [], squares, torch.optim.SGD(model.parameters(), lr=0.1)) == []
    assert torch.equal(model[0].weight, before)


def test_gradients_from_before_are_cleared(generator) -> None:
    model, (batch,) = two_layers(generator), batches(generator, 1)
    squares(model, batch).backward()
    stale = model[0].weight.grad.clone()
    fine_tune(model, [batch], squares, torch.optim.SGD(model.parameters(), lr=0.0))
    assert torch.equal(model[0].weight.grad, stale)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_takes_no_step(bad, generator) -> None:
    model, (x, y) = two_layers(generator), batches(generator, 1)[0]
    before = model[0].weight.detach().clone()
    with pytest.raises(ValueError, match=rf"loss_of\(model, batch\): expected finite values, got {bad}"):
        fine_tune(model, [(x, y * bad)], squares, torch.optim.SGD(model.parameters(), lr=0.1))
    assert torch.equal(model[0].weight, before)
