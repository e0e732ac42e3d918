"""The one-hot linear model against autograd, and its optimum against the bigram counts."""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reference.neural_lm import (
    context_windows,
    gradient_descent,
    linear_logits,
    linear_loss,
    maximum_likelihood_weights,
    one_hot,
)
from reference.ngram import ALPHABET, bigram_counts, bigram_probabilities

NAMES = ["anna", "léa", "zoé", "", "aa", "jean-marie", "anne", "hannah", "o", "maël", "noël", "élodie"]


def examples(v: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    weights = torch.randn(v, v, dtype=torch.float64, generator=generator)
    return weights, torch.randint(v, (n,), generator=generator), torch.randint(v, (n,), generator=generator)


def counted(ids: Tensor, targets: Tensor, v: int) -> list[list[int]]:
    """Every pair, counted one by one."""
    pairs = Counter(zip(ids.tolist(), targets.tolist(), strict=True))
    return [[pairs[i, j] for j in range(v)] for i in range(v)]


@pytest.fixture
def names() -> tuple[Tensor, Tensor]:
    ids = [[ALPHABET.index(symbol) for symbol in name] for name in NAMES]
    contexts, targets = context_windows(ids, n_context=1, n_tokens=len(ALPHABET), boundary=0)
    return contexts[:, 0], targets


def test_one_hot_equals_torch(proof: Callable, generator: torch.Generator) -> None:
    for v, n in [(1, 3), (5, 0), (7, 30)]:
        ids = torch.randint(v, (n,), generator=generator)
        ours = one_hot(ids, n_tokens=v)
        proof(one_hot, "torch.nn.functional.one_hot").equal(ours.tolist(), functional.one_hot(ids, v).tolist())
        assert ours.shape == (n, v)


@pytest.mark.parametrize(("v", "n"), [(1, 1), (1, 5), (2, 1), (6, 40), (30, 7)])
def test_logits_loss_and_gradient_equal_autograd_through_the_product(
    v: int, n: int, generator: torch.Generator, proof: Callable
) -> None:
    weights, ids, targets = examples(v, n, generator)
    leaf = weights.clone().requires_grad_()
    logits = functional.one_hot(ids, v).double() @ leaf
    theirs = functional.cross_entropy(logits, targets)
    loss, gradient = linear_loss(weights, ids, targets)
    proof(linear_logits, "torch one_hot @ weights").close(linear_logits(weights, ids), logits, within=0)
    proof(linear_loss, "torch.autograd").close(loss, theirs, within=1e-14)
    proof(linear_loss, "torch.autograd").close(gradient, torch.autograd.grad(theirs, leaf)[0], within=1e-15)


def test_no_current_tokens_have_no_scores_and_no_loss() -> None:
    weights, nothing = torch.zeros(3, 3, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    assert linear_logits(weights, nothing).shape == (0, 3)
    with pytest.raises(ValueError, match="number of examples: expected 1 or more, got 0"):
        linear_loss(weights, nothing, nothing)


def test_the_optimum_is_the_bigram_table_of_names(names: tuple[Tensor, Tensor], proof: Callable) -> None:
    counts = bigram_counts(NAMES)
    weights = maximum_likelihood_weights(torch.tensor(counts))
    against = proof(maximum_likelihood_weights, "reference.ngram bigram probabilities, k = 0")
    against.close(torch.softmax(weights, dim=1), bigram_probabilities(counts, k=0), within=1e-15)
    loss, gradient = linear_loss(weights, *names)
    table, total = counts / counts.sum(1, keepdims=True).clip(1), counts.sum()
    entropy = -sum(c / total * math.log(p) for c, p in zip(counts.flat, table.flat, strict=True) if c)
    proof(linear_loss, "entropy of the bigram counts, brute force").close(loss, entropy, within=1e-14)
    proof(maximum_likelihood_weights, "gradient 0 at the optimum").close(gradient, np.zeros((40, 40)), within=1e-16)


def test_the_optimum_equals_counting_by_hand(generator: torch.Generator, proof: Callable) -> None:
    _, ids, targets = examples(4, 60, generator)
    counts = counted(ids, targets, 4)
    table = [[count / sum(row) for count in row] for row in counts]
    weights = maximum_likelihood_weights(torch.tensor(counts))
    proof(maximum_likelihood_weights, "brute force counts").close(torch.softmax(weights, 1), table, within=1e-15)


def test_no_other_weights_have_a_smaller_loss(generator: torch.Generator) -> None:
    _, ids, targets = examples(4, 60, generator)
    best = maximum_likelihood_weights(torch.tensor(counted(ids, targets, 4)))
    assert best.isfinite().all()  # every pair occurs here
    least = linear_loss(best, ids, targets)[0]
    for size in [1e-3, 1e-1, 1.0, 10.0]:
        other = best + size * torch.randn(4, 4, dtype=torch.float64, generator=generator)
        assert linear_loss(other, ids, targets)[0] > least
    constants = torch.randn(4, 1, dtype=torch.float64, generator=generator)
    assert linear_loss(best + constants, ids, targets)[0].item() == pytest.approx(least.item(), abs=1e-14)


def test_descent_reaches_the_bigram_table_where_every_pair_was_seen(
    generator: torch.Generator, proof: Callable
) -> None:
    _, ids, targets = examples(4, 200, generator)
    counts = torch.tensor(counted(ids, targets, 4))
    assert counts.min() > 0
    rate = 2 * len(ids) / counts.sum(1).max().item()  # 1/L
    weights = gradient_descent(torch.zeros(4, 4, dtype=torch.float64), ids, targets, learning_rate=rate, n_steps=400)
    expected = counts.double() / counts.sum(1, keepdim=True)
    proof(gradient_descent, "brute force bigram counts").close(torch.softmax(weights, 1), expected, within=1e-12)


@pytest.mark.parametrize("n_steps", [1, 10, 100])
def test_descent_keeps_within_its_stated_bound(n_steps: int, generator: torch.Generator) -> None:
    start, ids, targets = examples(4, 200, generator)
    counts = torch.tensor(counted(ids, targets, 4))
    totals, n = counts.sum(1), len(ids)
    rate = 2 * n / totals.max().item()
    best = maximum_likelihood_weights(counts)
    best = best - best.mean(1, keepdim=True) + start.mean(1, keepdim=True)  # of all minima the nearest to the start
    bound = ((start - best) ** 2).sum() / (2 * rate * n_steps)
    weights = gradient_descent(start, ids, targets, learning_rate=rate, n_steps=n_steps)
    assert linear_loss(weights, ids, targets)[0] - linear_loss(best, ids, targets)[0] <= bound
    variation = (torch.softmax(weights, 1) - torch.softmax(best, 1)).abs().sum(1) / 2
    assert (variation <= (bound * n / (2 * totals)).sqrt()).all()


def test_descent_never_rises_at_the_stated_rate(generator: torch.Generator) -> None:
    weights, ids, targets = examples(3, 30, generator)
    rate = 2 * 30 / ids.bincount().max().item()
    losses = []
    for _ in range(50):
        losses.append(linear_loss(weights, ids, targets)[0].item())
        weights = gradient_descent(weights, ids, targets, learning_rate=rate, n_steps=1)
    assert losses == sorted(losses, reverse=True)


def test_descent_approaches_what_was_never_seen_like_one_over_steps() -> None:
    ids, targets = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1])
    never = {}
    for n_steps in [500, 1000, 2000]:
        start = torch.zeros(2, 2, dtype=torch.float64)
        weights = gradient_descent(start, ids, targets, learning_rate=3.0, n_steps=n_steps)
        never[n_steps] = torch.softmax(weights, 1)[0, 1].item()
    assert never[500] < 1e-3
    assert never[500] / never[1000] == pytest.approx(2, rel=0.02)
    assert never[1000] / never[2000] == pytest.approx(2, rel=0.02)


def test_steps_equal_torch_sgd(generator: torch.Generator, proof: Callable) -> None:
    weights, ids, targets = examples(5, 20, generator)
    leaf = weights.clone().requires_grad_()
    optimiser = torch.optim.SGD([leaf], lr=0.7)
    for _ in range(5):
        optimiser.zero_grad()
        functional.cross_entropy(leaf[ids], targets).backward()
        optimiser.step()
    ours = gradient_descent(weights, ids, targets, learning_rate=0.7, n_steps=5)
    proof(gradient_descent, "torch.optim.SGD").close(ours, leaf, within=1e-14)
    assert torch.equal(gradient_descent(weights, ids, targets, learning_rate=0.7, n_steps=0), weights)


def test_zero_counts_and_empty_rows_have_their_weights() -> None:
    weights = maximum_likelihood_weights(torch.tensor([[0, 1, 2], [0, 0, 0], [5, 0, 0]]))
    assert weights[0].tolist() == [-math.inf, 0.0, math.log(2)]
    assert weights[1].tolist() == [0.0, 0.0, 0.0]
    assert maximum_likelihood_weights(torch.tensor([[7]])).exp().item() == pytest.approx(7)


def test_bad_values_are_quoted(generator: torch.Generator) -> None:
    weights, ids, targets = examples(3, 4, generator)
    unknown, nan = torch.tensor([0, 1, 2, 3]), weights.clone().fill_(math.nan)
    never = torch.full((3, 3), -math.inf, dtype=torch.float64)
    for call, message in [
        (lambda: one_hot(unknown, n_tokens=3), "ids: expected token ids from 0 to 2, got 3"),
        (lambda: one_hot(ids[:0], n_tokens=0), "n_tokens: expected 1 or more, got 0"),
        (lambda: linear_logits(weights, unknown), "ids: expected token ids from 0 to 2, got 3"),
        (lambda: linear_logits(weights, -unknown), "got -1"),
        (lambda: linear_logits(nan, ids), "weights: expected finite values or -inf, got nan"),
        (lambda: linear_loss(weights, ids, unknown), "targets: expected token ids from 0 to 2, got 3"),
        (lambda: linear_loss(never, ids, targets), "got a row of -inf"),
        (lambda: maximum_likelihood_weights(torch.tensor([[1, -1], [0, 0]])), "counts: expected 0 or more, got -1"),
        (lambda: maximum_likelihood_weights(torch.zeros(0, 0, dtype=torch.int64)), "expected 1 or more, got 0"),
        (lambda: gradient_descent(nan, ids, targets, learning_rate=1.0, n_steps=0), "weights: expected finite"),
        (lambda: gradient_descent(weights, ids, targets, learning_rate=1.0, n_steps=-1), "n_steps: expected 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_learning_rate_is_above_zero_and_finite(rate: float, generator: torch.Generator) -> None:
    with pytest.raises(ValueError, match=f"learning_rate: expected a finite number above 0, got {rate}"):
        gradient_descent(*examples(3, 4, generator), learning_rate=rate, n_steps=1)


@pytest.mark.gpu
def test_gpu_equals_cpu(generator: torch.Generator) -> None:
    weights, ids, targets = examples(5, 20, generator)
    ours = gradient_descent(weights.cuda(), ids.cuda(), targets.cuda(), learning_rate=0.5, n_steps=3)
    expected = gradient_descent(weights, ids, targets, learning_rate=0.5, n_steps=3)
    assert ours.is_cuda
    torch.testing.assert_close(ours.cpu(), expected, rtol=1e-13, atol=1e-13)
    counts = torch.tensor([[1, 0], [0, 0]])
    assert torch.equal(maximum_likelihood_weights(counts.cuda()).cpu(), maximum_likelihood_weights(counts))


def test_counts_whose_total_leaves_int64_are_still_seen() -> None:
    row = [2**62, 2**63 - 1, 2**62, 1]  # adds up to 2^64
    weights = maximum_likelihood_weights(torch.tensor([row] * 4))
    assert torch.softmax(weights, dim=1)[0].tolist() == pytest.approx([0.25, 0.5, 0.25, 2**-64], rel=1e-12)


def test_descent_of_no_steps_refuses_what_a_step_would() -> None:
    weights, none = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="ids: expected token ids from 0 to 1, got 9"):
        gradient_descent(weights, torch.tensor([9]), torch.tensor([0]), learning_rate=1.0, n_steps=0)
    with pytest.raises(ValueError, match="number of examples"):
        gradient_descent(weights, none, none, learning_rate=1.0, n_steps=0)
