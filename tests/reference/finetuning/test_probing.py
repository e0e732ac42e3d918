"""Probes against scikit-learn, and the frozen model's bits."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from torch import nn

from reference.finetuning import LinearProbe, fine_tune, least_squares_probe


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def body_with_state():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.ReLU()).double()


def cross_entropy(model, batch):
    x, labels = batch
    return nn.functional.cross_entropy(model(x), labels)


def test_a_frozen_body_keeps_its_bits(generator) -> None:
    probe = LinearProbe(body_with_state(), width=6, n_classes=3).train()
    assert not any(parameter.any() for parameter in probe.head.parameters())  # it starts uniform
    before = {name: values.clone() for name, values in probe.body.state_dict().items()}
    data = [(normal(generator, 8, 4), torch.arange(8) % 3) for _ in range(4)]
    losses = fine_tune(probe, data, cross_entropy, torch.optim.AdamW(probe.parameters(), lr=0.1, weight_decay=0.5))
    after = probe.body.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)  # running statistics included
    assert losses[0] == pytest.approx(np.log(3), abs=1e-15)
    assert probe.head.weight.abs().sum() > 0


def test_no_gradient_reaches_the_body_or_the_input(generator) -> None:
    probe, x = LinearProbe(body_with_state(), width=6, n_classes=3), normal(generator, 5, 4).requires_grad_()
    probe(x).sum().backward()
    assert x.grad is None
    assert all(parameter.grad is None for parameter in probe.body.parameters())
    assert [name for name, parameter in probe.named_parameters() if parameter.requires_grad] == [
        "head.weight",
        "head.bias",
    ]


def test_a_trained_probe_is_logistic_regression(generator, proof) -> None:
    body, x = body_with_state().eval(), normal(generator, 40, 4)
    labels = torch.arange(40) % 3
    probe = LinearProbe(body, width=6, n_classes=3)

    def penalised(model, batch):
        x, labels = batch
        total = nn.functional.cross_entropy(model(x), labels, reduction="sum")
        return total + model.head.weight.square().sum() / 2

    optimizer = torch.optim.LBFGS(
        probe.head.parameters(),
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )
    optimizer.step(lambda: _with_gradients(optimizer, penalised(probe, (x, labels))))
    with torch.no_grad():
        features = body(x).numpy()
    theirs = LogisticRegression(C=1.0, tol=1e-12, max_iter=2000).fit(features, labels.numpy())
    # both stop where the gradient is below 1e-8 or so; the loss is strongly convex in the weights
    proof(LinearProbe, "sklearn LogisticRegression").close(probe.head.weight, theirs.coef_, within=1e-6)
    ours = torch.softmax(probe(x), dim=-1)
    proof(LinearProbe, "sklearn LogisticRegression").close(ours, theirs.predict_proba(features), within=1e-6)


def _with_gradients(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    return loss


def test_a_probe_is_its_formula(generator, proof) -> None:
    body, x = body_with_state().eval(), normal(generator, 5, 4)
    probe = LinearProbe(body, width=6, n_classes=3).train()
    for parameter in probe.head.parameters():
        nn.init.normal_(parameter, generator=generator)
    logits = probe(x)
    weights, bias = (parameter.tolist() for parameter in probe.head.parameters())
    features = body.eval()(x).tolist()
    expected = [[sum(weights[k][d] * one[d] for d in range(6)) + bias[k] for k in range(3)] for one in features]
    proof(LinearProbe, "brute force").close(logits, expected, within=1e-13)


def test_a_probe_reads_tokens_position_by_position(generator) -> None:
    probe = LinearProbe(nn.Embedding(7, 3, dtype=torch.float64), width=3, n_classes=2)
    assert probe(torch.tensor([[1, 2, 3]])).shape == (1, 3, 2)
    assert probe(torch.zeros(0, 4, dtype=torch.int64)).shape == (0, 4, 2)


def test_bad_probes() -> None:
    with pytest.raises(ValueError, match="width: expected 1 or more, got 0"):
        LinearProbe(nn.Identity(), width=0, n_classes=2)
    with pytest.raises(ValueError, match="n_classes: expected 1 or more, got 0"):
        LinearProbe(nn.Identity(), width=2, n_classes=0)
    with pytest.raises(ValueError, match="expected 2 features, got 3"):
        LinearProbe(nn.Identity(), width=2, n_classes=2)(torch.zeros(1, 3, dtype=torch.float64))


@pytest.mark.parametrize(("n", "d", "k"), [(20, 4, 3), (4, 9, 2), (5, 5, 1), (2, 1, 1)])
@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_the_closed_form_is_ridge_regression(n, d, k, penalty, generator, proof) -> None:
    x, y = normal(generator, n, d) + 3, normal(generator, n, k)
    weights, bias = least_squares_probe(x, y, penalty)
    theirs = Ridge(alpha=penalty, solver="svd").fit(x.numpy(), y.numpy())
    ours = proof(least_squares_probe, "sklearn Ridge")
    ours.close(weights, theirs.coef_.reshape(k, d).T, within=1e-12)
    ours.close(bias, np.reshape(theirs.intercept_, k), within=1e-12)


@pytest.mark.parametrize(("n", "d"), [(20, 4), (4, 9), (5, 5), (1, 3), (3, 0)])
def test_without_penalty_it_is_the_smallest_least_squares_solution(n, d, generator, proof) -> None:
    x, y = normal(generator, n, d), normal(generator, n, 2)
    weights, bias = least_squares_probe(x, y)
    if d:
        theirs = LinearRegression().fit(x.numpy(), y.numpy())
        proof(least_squares_probe, "sklearn LinearRegression").close(weights, theirs.coef_.T, within=1e-11)
        proof(least_squares_probe, "sklearn LinearRegression").close(bias, theirs.intercept_, within=1e-11)
    if n <= d:
        torch.testing.assert_close(x @ weights + bias, y, rtol=0, atol=1e-12)  # it goes through every example


def test_features_that_depend_on_each_other_share_the_weight(generator) -> None:
    x = normal(generator, 12, 1)
    weights, _ = least_squares_probe(torch.cat([x, x, torch.ones_like(x)], dim=1), 3 * x)
    torch.testing.assert_close(weights, torch.tensor([[1.5], [1.5], [0.0]], dtype=torch.float64), rtol=0, atol=1e-12)


def test_one_example_is_its_own_mean() -> None:
    weights, bias = least_squares_probe(torch.ones(1, 2).double(), torch.tensor([[7.0]]).double())
    assert weights.tolist() == [[0.0], [0.0]]
    assert bias.tolist() == [7.0]


@pytest.mark.parametrize(
    ("n", "bad", "penalty", "message"),
    [
        (0, 0.0, 0.0, "features: expected at least 1 example, got 0"),
        (2, np.nan, 0.0, "features: expected finite values, got nan"),
        (2, 0.0, -1.0, "penalty: expected 0 or more, got -1"),
        (2, 0.0, np.nan, "penalty: expected 0 or more, got nan"),
        (2, 0.0, np.inf, "penalty: expected a finite number, got inf"),
    ],
)
def test_bad_least_squares(n, bad, penalty, message) -> None:
    with pytest.raises(ValueError, match=message):
        least_squares_probe(torch.full((n, 2), bad).double(), torch.zeros(n, 1).double(), penalty)


def test_examples_and_targets_must_be_as_many() -> None:
    with pytest.raises(TypeError):
        least_squares_probe(torch.zeros(3, 2).double(), torch.zeros(2, 1).double())


@pytest.mark.gpu
def test_probes_on_gpu(generator) -> None:
    x, y = normal(generator, 20, 4), normal(generator, 20, 2)
    for ours, theirs in zip(least_squares_probe(x.cuda(), y.cuda()), least_squares_probe(x, y), strict=True):
        assert ours.is_cuda
        torch.testing.assert_close(ours.cpu(), theirs, rtol=0, atol=1e-12)
    probe = LinearProbe(nn.Linear(4, 3).double().cuda(), width=3, n_classes=2)
    assert probe(x.cuda()).is_cuda
