"""Probabilities against torch, greedy against a loop, draws against exact probabilities and a loop."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reference.sampling import draw, greedy, log_probabilities, token_probabilities

TAKE_LOGITS = [greedy, log_probabilities, token_probabilities]


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 1), (2, 3, 5), (0, 4)])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_probabilities_equal_torch(proof, normal, shape: tuple[int, ...], scale: float) -> None:
    logits = scale * normal(*shape)
    proof(token_probabilities, "torch.softmax").close(
        token_probabilities(logits), torch.softmax(logits, -1), within=1e-15
    )
    proof(log_probabilities, "torch.log_softmax").close(
        log_probabilities(logits), torch.log_softmax(logits, -1), within=1e-14
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.0], [1.0]),
        ([1e308, -1e308], [1.0, 0.0]),
        ([1e308, 1e308, -math.inf], [0.5, 0.5, 0.0]),
        ([-1e308, -math.inf], [1.0, 0.0]),
    ],
)
def test_extreme_logits(row: list[float], expected: list[float]) -> None:
    logits = torch.tensor(row, dtype=torch.float64)
    assert token_probabilities(logits).tolist() == expected
    assert log_probabilities(logits).exp().tolist() == pytest.approx(expected, abs=1e-15)
    assert greedy(logits).item() == 0


@pytest.mark.parametrize("n_tokens", [1, 2, 5, 100])
def test_greedy_takes_the_lowest_of_the_best(proof, generator: torch.Generator, n_tokens: int) -> None:
    logits = torch.randint(3, (50, n_tokens), generator=generator).double()  # full of ties
    expected = [max(range(n_tokens), key=lambda token: (row[token], -token)) for row in logits.tolist()]
    proof(greedy, "brute force").equal(greedy(logits).tolist(), expected)


@pytest.mark.parametrize("function", TAKE_LOGITS)
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.0, math.nan]], "logits: expected finite values or -inf, got nan"),
        ([[0.0, math.inf]], "logits: expected finite values or -inf, got inf"),
        ([[0.0, 0.0], [-math.inf, -math.inf]], "expected at least one token that is possible"),
        ([[]], "vocabulary: expected 1 token or more, got 0"),
    ],
)
def test_rows_that_are_no_logits_are_refused(function: Callable, rows: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(torch.tensor(rows, dtype=torch.float64))


@pytest.mark.parametrize("function", TAKE_LOGITS)
def test_wrong_types_are_refused(function: Callable) -> None:
    with pytest.raises(TypeError):
        function(torch.zeros(2, 3))


def test_draws_have_the_given_frequencies(proof, generator: torch.Generator) -> None:
    p = torch.tensor([0.5, 0.0, 0.2, 0.25, 0.05, 0.0], dtype=torch.float64)
    n_draws = 100_000
    shares = torch.bincount(draw(p.expand(n_draws, 6), generator), minlength=6).double() / n_draws
    # Hoeffding: off by more than this with probability below 1e-9 for each token
    bound = math.sqrt(math.log(2e9) / (2 * n_draws))
    proof(draw, "exact probabilities, statistical").close(shares, p, within=bound)
    assert shares[1] == shares[5] == 0


def test_draws_equal_a_sequential_search(proof, normal) -> None:
    p = torch.softmax(3 * normal(500, 9), -1)
    uniform = torch.rand(500, generator=torch.Generator().manual_seed(7), dtype=torch.float64).tolist()
    expected = []
    for row, u in zip(p.tolist(), uniform, strict=True):
        left, token = u * sum(row), 0
        while left >= row[token]:
            left -= row[token]
            token += 1
        expected.append(token)
    proof(draw, "brute force").equal(draw(p, torch.Generator().manual_seed(7)).tolist(), expected)


class Fixed:
    """Stands in for `torch.rand`, to look at the two ends of its range."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, shape: tuple[int, ...], **_: object) -> Tensor:
        return torch.full(shape, self.value, dtype=torch.float64)


@pytest.mark.parametrize(("u", "expected"), [(0.0, 1), (1 - 2**-53, 3), (0.5, 3), (0.5 - 2**-53, 1)])
def test_the_ends_of_the_unit_interval(monkeypatch: pytest.MonkeyPatch, u: float, expected: int) -> None:
    """A token of probability 0 is not drawn, neither before the first possible one nor after the last."""
    monkeypatch.setattr(torch, "rand", Fixed(u))
    p = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64)
    assert draw(p, torch.Generator()).item() == expected


@pytest.mark.parametrize("total", [1 - 9e-10, 1 + 9e-10])
@pytest.mark.parametrize("u", [0.0, 1 - 2**-53])
def test_rounded_sums_give_no_impossible_token(monkeypatch: pytest.MonkeyPatch, total: float, u: float) -> None:
    monkeypatch.setattr(torch, "rand", Fixed(u))
    p = torch.tensor([0.0, total / 3, total * 2 / 3, 0.0], dtype=torch.float64)
    assert draw(p, torch.Generator()).item() == (1 if u == 0 else 2)


def test_the_same_state_draws_the_same(normal) -> None:
    p = torch.softmax(normal(20, 50), -1)
    first, second, other = (draw(p, torch.Generator().manual_seed(seed)).tolist() for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize("shape", [(1,), (0, 3), (2, 2, 1)])
def test_shapes_of_draws(shape: tuple[int, ...]) -> None:
    p = torch.full(shape, 1 / shape[-1], dtype=torch.float64)
    assert draw(p, torch.Generator()).shape == shape[:-1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.4], "probabilities: expected probabilities that sum to 1, got a sum of 0.9"),
        ([1.5, -0.5], "probabilities: expected probabilities of 0 or more, got -0.5"),
        ([math.nan, 1.0], "probabilities of 0 or more, got nan"),
        ([], "vocabulary: expected 1 token or more, got 0"),
    ],
)
def test_rows_that_are_no_distribution_are_refused(row: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(torch.tensor(row, dtype=torch.float64), torch.Generator())


@pytest.mark.gpu
def test_gpu_draws_the_same_tokens(normal) -> None:
    p = torch.softmax(normal(99, 50), -1)
    there = draw(p.cuda(), torch.Generator().manual_seed(1))
    assert there.is_cuda
    assert torch.equal(there.cpu(), draw(p, torch.Generator().manual_seed(1)))
