"""The pairwise loss against torch and trl's RewardTrainer, and a reward model against transformers' classifier."""

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForSequenceClassification
from trl.trainer.reward_trainer import RewardTrainer

from reference.alignment import RewardModel, log_sigmoid, pairwise_losses, preference_accuracy


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1.0, 30.0, 700.0, 1e5, 1e300])
def test_log_sigmoid_is_torchs(scale, generator, proof) -> None:
    x = normal(generator, 3, 50) * scale
    ours = log_sigmoid(x)
    proof(log_sigmoid, "torch logsigmoid").close(ours, functional.logsigmoid(x), within=1e-15)
    small = functional.logsigmoid(x) > -1e-3  # there a relative error says more
    torch.testing.assert_close(ours[small], functional.logsigmoid(x)[small], rtol=1e-14, atol=0)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.floats(-1e300, 1e300))
def test_log_sigmoid_and_its_mirror(x) -> None:
    value, mirrored = log_sigmoid(torch.tensor([x, -x], dtype=torch.float64)).tolist()
    assert value <= 0
    assert value - mirrored == pytest.approx(x, rel=1e-15, abs=1e-15)  # log σ(x) - log σ(-x) = x


@pytest.mark.parametrize("x", [-1e300, -800.0, -1.0, -1e-300, -0.0, 0.0, 1e-300, 1.0, 800.0, 1e300])
def test_the_gradient_of_log_sigmoid_is_the_mirrored_sigmoid(x, proof) -> None:
    at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    log_sigmoid(at).backward()
    proof(log_sigmoid, "torch sigmoid, as gradient").close(at.grad, torch.sigmoid(-at), within=1e-15)


def test_log_sigmoid_of_infinities_and_nan() -> None:
    assert log_sigmoid(torch.tensor([-torch.inf, torch.inf], dtype=torch.float64)).tolist() == [-math.inf, 0.0]
    with pytest.raises(ValueError, match="x: expected numbers, got nan"):
        log_sigmoid(torch.tensor(torch.nan, dtype=torch.float64))


@pytest.mark.parametrize("margin", [None, 0.7])
@pytest.mark.parametrize("b", [1, 6])
def test_the_pairwise_loss_is_trls(b, margin, generator, proof) -> None:
    chosen, rejected = normal(generator, 2, b)
    margins = None if margin is None else torch.full((b,), margin, dtype=torch.float64)
    inputs = {"attention_mask": torch.ones(2 * b, 3)} | ({} if margin is None else {"margin": margins})
    trainer = _trainer()
    scores = SimpleNamespace(logits=torch.cat([chosen, rejected])[:, None])
    theirs = RewardTrainer.compute_loss(trainer, lambda **_: scores, inputs)
    authority = "trl RewardTrainer.compute_loss"
    proof(pairwise_losses, authority).close(pairwise_losses(chosen, rejected, margins).mean(), theirs, within=1e-14)
    # trl averages in float32: exact to 2⁻²⁴
    (accuracy,) = trainer._metrics["train"]["accuracy"]
    proof(preference_accuracy, authority).close(preference_accuracy(chosen, rejected), accuracy, within=2.0**-24)


def _trainer():
    """As much of a RewardTrainer as its loss asks for: no model, no data."""
    same = SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
    return SimpleNamespace(
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(center_rewards_coefficient=None),
        accelerator=same,
        _total_train_tokens=0,
        _tp_size=1,
        _metrics=defaultdict(lambda: defaultdict(list)),
    )


def test_the_pairwise_loss_by_its_formula_and_its_gradient(generator, proof) -> None:
    chosen, rejected, margin = (values.requires_grad_() for values in normal(generator, 3, 5).unbind())
    losses = pairwise_losses(chosen, rejected, margin)
    expected = [
        math.log(1 + math.exp(-(c - r - m)))
        for c, r, m in zip(chosen.tolist(), rejected.tolist(), margin.tolist(), strict=True)
    ]
    proof(pairwise_losses, "brute force").close(losses, expected, within=1e-14)
    losses.sum().backward()
    wrong = torch.sigmoid(rejected + margin - chosen)  # the probability that the pair goes the other way
    proof(pairwise_losses, "σ, as gradient").close(chosen.grad, -wrong, within=1e-15)
    proof(pairwise_losses, "σ, as gradient").close(rejected.grad, wrong, within=1e-15)
    proof(pairwise_losses, "σ, as gradient").close(margin.grad, wrong, within=1e-15)


def test_a_constant_does_not_matter_and_extremes_do_not_overflow() -> None:
    chosen, rejected = torch.tensor([[0.0, 1e5, -1e5], [0.0, -1e5, 1e5]], dtype=torch.float64)
    assert pairwise_losses(chosen, rejected).tolist() == [math.log(2), 0.0, 2e5]
    assert torch.equal(pairwise_losses(chosen + 64, rejected + 64), pairwise_losses(chosen, rejected))
    assert pairwise_losses(chosen[:0], rejected[:0]).shape == (0,)


def test_a_tie_is_no_win(proof) -> None:
    chosen, rejected = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    proof(preference_accuracy, "brute force").equal(preference_accuracy(chosen, rejected), 1 / 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_none(bad) -> None:
    good, poor = torch.zeros(1).double(), torch.full((1,), bad).double()
    for function in (pairwise_losses, preference_accuracy):
        with pytest.raises(ValueError, match=f"chosen: expected finite values, got {bad}"):
            function(poor, good)
        with pytest.raises(ValueError, match=f"rejected: expected finite values, got {bad}"):
            function(good, poor)
    with pytest.raises(ValueError, match=f"margin: expected finite values, got {bad}"):
        pairwise_losses(good, good, poor)
    with pytest.raises(ValueError, match="chosen: expected at least one pair, got 0"):
        preference_accuracy(good[:0], good[:0])
    with pytest.raises(TypeError):
        pairwise_losses(torch.zeros(2).double(), good)


class Backbone(nn.Module):
    """Hidden states of a transformers classifier, in the shape that a reward model takes."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def test_a_reward_model_is_transformers_classifier_with_one_label(generator, proof) -> None:
    config = LlamaConfig(
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=11,
        num_labels=1,
        pad_token_id=0,
    )
    theirs = LlamaForSequenceClassification(config).double().eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, generator=generator)
    ours = RewardModel(Backbone(theirs.model), width=8, generator=generator)
    theirs.score.weight.data.copy_(ours.head.weight.data)
    ids = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 0, 0, 0], [0, 0, 2, 3]])  # padded right, and once left
    mask = ids != 0
    scores = ours(ids, mask)
    expected = theirs(input_ids=ids, attention_mask=mask).logits.squeeze(-1)
    proof(RewardModel, "transformers LlamaForSequenceClassification").close(scores, expected, within=1e-12)

    pairwise_losses(scores[:2], scores[2:]).mean().backward()
    assert ours.head.weight.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in theirs.model.parameters())  # the body trains, too


def test_the_last_real_token_is_scored_wherever_padding_is(generator, proof) -> None:
    body = _Table(nn.Embedding(9, 4, dtype=torch.float64))
    model = RewardModel(body, width=4, generator=generator)
    ids = torch.tensor([[1, 2, 0], [0, 0, 3], [4, 0, 5], [6, 0, 0]])
    mask = torch.tensor([[1, 1, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]], dtype=torch.bool)
    expected = [(body.table.weight[token] * model.head.weight[0]).sum().item() for token in (2, 3, 5, 6)]
    proof(RewardModel, "brute force").close(model(ids, mask), expected, within=1e-14)
    assert model(ids[:0], mask[:0]).shape == (0,)


class _Table(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.table = table

    def forward(self, ids, mask):
        return self.table(ids)


def test_the_head_starts_as_the_paper_says(generator) -> None:
    weight = RewardModel(nn.Identity(), width=40_000, generator=generator).head.weight
    assert weight.std().item() == pytest.approx(1 / math.sqrt(40_001), rel=0.02)  # a standard error of 0.35 %
    assert weight.mean().item() == pytest.approx(0.0, abs=2e-4)
    assert torch.equal(
        RewardModel(nn.Identity(), 3, torch.Generator().manual_seed(1)).head.weight,
        RewardModel(nn.Identity(), 3, torch.Generator().manual_seed(1)).head.weight,
    )


def test_bad_reward_models(generator) -> None:
    with pytest.raises(ValueError, match="width: expected 1 or more, got 0"):
        RewardModel(nn.Identity(), 0, generator)
    model = RewardModel(_Table(nn.Embedding(9, 3, dtype=torch.float64)), 4, generator)
    ids = torch.zeros(2, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="mask: expected a real token in each row, got none in row 1"):
        model(ids, torch.tensor([[True, False], [False, False]]))
    with pytest.raises(ValueError, match=r"body\(ids, mask\): expected 4 features, got 3"):
        model(ids, ids == 0)
    with pytest.raises(TypeError):
        model(ids, torch.ones(2, 3, dtype=torch.bool))


@pytest.mark.gpu
def test_reward_model_on_gpu() -> None:
    body = _Table(nn.Embedding(9, 4, dtype=torch.float64))
    model = RewardModel(body, 4, torch.Generator().manual_seed(0))
    ids, mask = torch.tensor([[1, 2, 0]]), torch.tensor([[True, True, False]])
    expected = model(ids, mask)
    there = model.cuda()(ids.cuda(), mask.cuda())
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), expected, rtol=0, atol=1e-14)
    losses = pairwise_losses(there, there)
    assert losses.is_cuda
    assert losses.item() == pytest.approx(math.log(2), abs=1e-15)
