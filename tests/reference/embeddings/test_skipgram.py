"""Skip-gram with negative sampling: pairs by search, gradients by autograd, draws by their distribution."""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torch.nn import functional

from reference.embeddings import (
    cooccurrence,
    draw_negatives,
    negative_distribution,
    skipgram_loss,
    skipgram_pairs,
    skipgram_step,
)

sequences = st.lists(st.lists(st.integers(0, 4), max_size=8), max_size=4)


def examples(
    generator: torch.Generator, v: int, m: int, n: int, k: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    inputs, outputs = (torch.randn(v, m, dtype=torch.float64, generator=generator) for _ in range(2))
    centres, contexts, negatives = (torch.randint(v, size, generator=generator) for size in [(n,), (n,), (n, k)])
    return inputs, outputs, centres, contexts, negatives


def torch_loss(inputs: Tensor, outputs: Tensor, centres: Tensor, contexts: Tensor, negatives: Tensor) -> Tensor:
    """Equation 4 of Mikolov et al. 2013, example by example."""
    total = torch.zeros((), dtype=torch.float64)
    for centre, context, drawn in zip(centres, contexts, negatives, strict=True):
        total = total - functional.logsigmoid(outputs[context] @ inputs[centre])
        for negative in drawn:
            total = total - functional.logsigmoid(-outputs[negative] @ inputs[centre])
    return total / len(centres)


@settings(derandomize=True, deadline=None)
@given(sequences, st.integers(1, 9))
def test_pairs_equal_a_search_and_their_counts_the_cooccurrence(sequences: list[list[int]], window: int) -> None:
    centres, contexts = skipgram_pairs(sequences, n_tokens=5, window=window)
    pairs = list(zip(centres.tolist(), contexts.tolist(), strict=True))
    assert pairs == searched(sequences, window)
    counts = np.zeros((5, 5))
    for centre, context in pairs:
        counts[centre, context] += 1
    np.testing.assert_array_equal(counts, cooccurrence(sequences, n_tokens=5, window=window))


def searched(sequences: list[list[int]], window: int) -> list[tuple[int, int]]:
    found = []
    for sequence in sequences:
        for p, centre in enumerate(sequence):
            found += [(centre, context) for q, context in enumerate(sequence) if 0 < abs(p - q) <= window]
    return found


def test_pairs_are_proven_by_search(rng: np.random.Generator, proof: Callable) -> None:
    drawn = [rng.integers(0, 9, size=length).tolist() for length in (0, 1, 2, 40)]
    for window in (1, 3, 50):
        centres, contexts = skipgram_pairs(drawn, n_tokens=9, window=window)
        pairs = list(zip(centres.tolist(), contexts.tolist(), strict=True))
        proof(skipgram_pairs, "brute force").equal(pairs, searched(drawn, window))


def test_pairs_of_nothing_are_empty() -> None:
    for nothing in ([], [[]], [[0], [1]]):
        centres, contexts = skipgram_pairs(nothing, n_tokens=2, window=3)
        assert centres.shape == contexts.shape == (0,)
        assert centres.dtype == torch.int64


@pytest.mark.parametrize(
    ("v", "m", "n", "k"), [(1, 1, 1, 1), (5, 3, 1, 0), (5, 3, 20, 4), (2, 6, 30, 5), (40, 8, 10, 15)]
)
def test_loss_and_gradients_equal_autograd(
    v: int, m: int, n: int, k: int, generator: torch.Generator, proof: Callable
) -> None:
    inputs, outputs, *ids = examples(generator, v, m, n, k)
    leaves = inputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    expected = torch_loss(*leaves, *ids)
    gradients = torch.autograd.grad(expected, leaves)
    for ours, theirs in zip(skipgram_loss(inputs, outputs, *ids), (expected, *gradients), strict=True):
        proof(skipgram_loss, "torch.autograd").close(ours, theirs, within=1e-14)


def test_steps_equal_torch_sgd(generator: torch.Generator, proof: Callable) -> None:
    inputs, outputs, *ids = examples(generator, 6, 4, 12, 3)
    leaves = [inputs.clone().requires_grad_(), outputs.clone().requires_grad_()]
    optimiser = torch.optim.SGD(leaves, lr=0.4)
    for _ in range(4):
        optimiser.zero_grad()
        expected = torch_loss(leaves[0], leaves[1], *ids)
        expected.backward()
        optimiser.step()
        loss, inputs, outputs = skipgram_step(inputs, outputs, *ids, learning_rate=0.4)
        for ours, theirs in zip((loss, inputs, outputs), (expected, *leaves), strict=True):
            proof(skipgram_step, "torch.optim.SGD").close(ours, theirs, within=1e-14)


def test_the_optimum_is_shifted_pointwise_mutual_information(proof: Callable) -> None:
    """Levy and Goldberg 2014: with every context as a negative of every pair, u · v = PMI - log k, here k = N."""
    pairs = [
        (i, j) for i, row in enumerate([[3, 1, 2], [1, 4, 1], [2, 1, 5]]) for j, c in enumerate(row) for _ in range(c)
    ]
    centres, contexts = torch.tensor(pairs).T
    n, by_pair = len(pairs), Counter(pairs)
    rows, columns = centres.bincount().tolist(), contexts.bincount().tolist()
    associations = [
        [math.log(by_pair[i, j] * n / (rows[i] * columns[j])) - math.log(n) for j in range(3)] for i in range(3)
    ]
    inputs = torch.eye(3, dtype=torch.float64)
    outputs = torch.tensor(associations, dtype=torch.float64).T.contiguous()
    _, d_inputs, d_outputs = skipgram_loss(inputs, outputs, centres, contexts, contexts.expand(n, n).contiguous())
    for gradient in (d_inputs, d_outputs):
        against = proof(skipgram_loss, "gradient 0 at Levy and Goldberg's optimum")
        against.close(gradient, torch.zeros(3, 3), within=1e-14)  # sums of 400 terms, 0.3 in all: 400 · 0.3 · 2^-53


def test_extreme_scores_neither_overflow_nor_vanish() -> None:
    inputs, outputs = torch.tensor([[1e4], [-1e4]]).double(), torch.tensor([[1.0], [1.0]]).double()
    ids = torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([[1], [1]])
    loss, d_inputs, _ = skipgram_loss(inputs, outputs, *ids)
    assert loss.item() == 1e4  # each example has one term of 10,000 and one of 0
    assert d_inputs.tolist() == [[0.5], [-0.5]]
    tiny, _, _ = skipgram_loss(inputs / 200, outputs, ids[0][:1], ids[1][:1], ids[2][:1, :0])
    assert tiny.item() == pytest.approx(math.exp(-50), rel=1e-14, abs=0)


def test_a_negative_that_is_the_context_counts_as_both() -> None:
    inputs = outputs = torch.zeros(1, 1, dtype=torch.float64) + 2
    ids = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.int64)
    loss, d_inputs, _ = skipgram_loss(inputs, outputs, *ids)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-4)) + math.log1p(math.exp(4)))
    assert d_inputs.item() == pytest.approx(2 * (2 / (1 + math.exp(-4)) - 1))


def test_learning_brings_true_contexts_nearer_than_others(generator: torch.Generator, rng: np.random.Generator) -> None:
    text = [[0, 1] * 20, [2, 3] * 20]
    centres, contexts = skipgram_pairs(text, n_tokens=4, window=1)
    noise = negative_distribution(torch.tensor([20, 20, 20, 20]))
    inputs, outputs = (0.1 * torch.randn(4, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    for _ in range(300):
        negatives = draw_negatives(noise, len(centres), 3, rng=rng)
        _, inputs, outputs = skipgram_step(inputs, outputs, centres, contexts, negatives, learning_rate=0.5)
    assert (inputs @ outputs.T).argmax(dim=1).tolist() == [1, 0, 3, 2]


def test_noise_equals_the_formula(rng: np.random.Generator, proof: Callable) -> None:
    counts = rng.integers(0, 1000, size=50)
    for power in (0.75, 1, 0.5, 2):
        expected = counts**power / (counts**power).sum()
        ours = negative_distribution(torch.tensor(counts), power=power)
        proof(negative_distribution, "numpy, brute force").close(ours, expected, within=1e-15)


def test_noise_edges() -> None:
    assert negative_distribution(torch.tensor([7])).tolist() == [1.0]
    assert negative_distribution(torch.tensor([16, 1])).tolist() == [8 / 9, 1 / 9]  # to the power 3/4
    assert negative_distribution(torch.tensor([0, 3, 5]), power=0).tolist() == [0.0, 0.5, 0.5]
    assert negative_distribution(torch.tensor([2**62, 2**62, 2**62]), power=100).tolist() == [1 / 3] * 3


def test_draws_equal_inversion_one_by_one(rng: np.random.Generator, proof: Callable) -> None:
    noise = negative_distribution(torch.tensor(rng.integers(0, 5, size=20)))
    uniform = np.random.default_rng(8).random((30, 4))
    running = np.cumsum(noise.numpy())
    expected = [[next(t for t in range(20) if running[t] / running[-1] > u) for u in row] for row in uniform]
    drawn = draw_negatives(noise, 30, 4, rng=np.random.default_rng(8))
    proof(draw_negatives, "brute force inversion").equal(drawn.tolist(), expected)


def test_draws_follow_the_distribution(rng: np.random.Generator) -> None:
    noise = negative_distribution(torch.tensor([16, 0, 1, 81, 4]))
    drawn = draw_negatives(noise, 10_000, 5, rng=rng).flatten().bincount(minlength=5).numpy()
    assert drawn[1] == 0
    seen = [0, 2, 3, 4]
    assert stats.chisquare(drawn[seen], 50_000 * noise.numpy()[seen]).pvalue > 1e-3


class Fixed(np.random.Generator):
    """A generator whose uniform numbers are all one number."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.value = value

    def random(self, size: tuple[int, int]) -> np.ndarray:  # type: ignore[override]
        return np.full(size, self.value)


@pytest.mark.parametrize(("u", "expected"), [(0.0, 1), (0.5, 3), (0.49999999, 1), (1 - 2**-53, 3)])
def test_draws_at_the_ends_and_at_a_step(u: float, expected: int) -> None:
    noise = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64)
    assert draw_negatives(noise, 1, 1, rng=Fixed(u)).item() == expected


@pytest.mark.parametrize("seed", range(5))
def test_rounding_of_the_sum_never_leads_past_the_last_token(seed: int) -> None:
    weights = np.random.default_rng(seed).random(1000)
    noise = torch.tensor(np.append(weights / weights.sum(), 0.0))
    assert draw_negatives(noise, 1, 1, rng=Fixed(1 - 2**-53)).item() == 999


@pytest.mark.parametrize(("n", "k"), [(0, 0), (0, 3), (3, 0)])
def test_no_draws(n: int, k: int, rng: np.random.Generator) -> None:
    assert draw_negatives(torch.ones(1, dtype=torch.float64), n, k, rng=rng).shape == (n, k)


def test_bad_values_are_quoted(generator: torch.Generator, rng: np.random.Generator) -> None:
    inputs, outputs, centres, contexts, negatives = examples(generator, 3, 2, 4, 2)
    ids = centres, contexts, negatives
    nothing = centres[:0], contexts[:0], negatives[:0]
    huge = torch.full((3, 2), 1e200, dtype=torch.float64)
    half = torch.tensor([0.5, 0.4], dtype=torch.float64)
    for call, message in [
        (lambda: skipgram_pairs([[0, 3]], n_tokens=3, window=1), "sequences: expected token ids from 0 to 2, got 3"),
        (lambda: skipgram_pairs([[0]], n_tokens=3, window=0), "window: expected 1 or more, got 0"),
        (lambda: skipgram_pairs([], n_tokens=0, window=1), "n_tokens: expected 1 or more, got 0"),
        (lambda: skipgram_loss(inputs, outputs, *nothing), "number of examples: expected 1 or more, got 0"),
        (lambda: skipgram_loss(inputs, outputs, centres + 3, *ids[1:]), "centres: expected token ids from 0 to 2"),
        (lambda: skipgram_loss(inputs, outputs, centres, contexts - 3, negatives), "contexts: expected token ids"),
        (lambda: skipgram_loss(inputs, outputs, centres, contexts, negatives + 3), "negatives: expected token ids"),
        (lambda: skipgram_loss(huge, huge, *ids), "scores u · v: expected finite values, got inf"),
        (lambda: skipgram_loss(huge * math.nan, huge, *ids), "scores u · v: expected finite values, got nan"),
        (lambda: skipgram_step(inputs, outputs, *ids, learning_rate=-1.0), "learning_rate: .* got -1.0"),
        (lambda: negative_distribution(torch.tensor([1, -1])), "counts: expected 0 or more, got -1"),
        (lambda: negative_distribution(torch.tensor([0, 0])), "largest of the counts: expected 1 or more, got 0"),
        (lambda: negative_distribution(centres[:0]), "number of tokens: expected 1 or more, got 0"),
        (lambda: negative_distribution(torch.tensor([1]), power=-0.5), "power: .* got -0.5"),
        (lambda: negative_distribution(torch.tensor([1]), power=math.nan), "power: .* got nan"),
        (lambda: draw_negatives(half, 1, 1, rng=rng), "noise: expected probabilities that sum to 1, got a sum of 0.9"),
        (lambda: draw_negatives(half * 0 + 0.5, -1, 1, rng=rng), "n_examples: expected 0 or more, got -1"),
        (lambda: draw_negatives(half * 0 + 0.5, 1, -1, rng=rng), "n_negatives: expected 0 or more, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_tables_must_agree(generator: torch.Generator) -> None:
    inputs, outputs, *ids = examples(generator, 3, 2, 4, 2)
    with pytest.raises(TypeError):
        skipgram_loss(inputs, outputs[:, :1], *ids)
    with pytest.raises(TypeError):
        skipgram_loss(inputs, outputs[:2], *ids)


@pytest.mark.gpu
def test_gpu_equals_cpu(generator: torch.Generator) -> None:
    given_arguments = examples(generator, 6, 4, 12, 3)
    ours = skipgram_step(*(one.cuda() for one in given_arguments), learning_rate=0.4)
    for actual, expected in zip(ours, skipgram_step(*given_arguments, learning_rate=0.4), strict=True):
        assert actual.is_cuda
        torch.testing.assert_close(actual.cpu(), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.gpu
def test_draws_on_gpu_equal_draws_on_cpu() -> None:
    noise = negative_distribution(torch.tensor([16, 0, 1, 81]))
    ours, expected = (draw_negatives(one, 9, 3, rng=np.random.default_rng(1)) for one in (noise.cuda(), noise))
    assert ours.is_cuda
    assert torch.equal(ours.cpu(), expected)
    assert negative_distribution(torch.tensor([1, 2]).cuda()).is_cuda
