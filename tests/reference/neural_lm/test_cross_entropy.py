"""The loss and its gradient against torch's, and the rules at the edges."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reference.neural_lm import cross_entropy_and_gradient


def theirs(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    scores = scores.clone().requires_grad_()
    loss = functional.cross_entropy(scores, targets)
    return loss, torch.autograd.grad(loss, scores)[0]


@pytest.mark.parametrize(("n", "v"), [(1, 1), (1, 2), (4, 3), (7, 50), (200, 5)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
def test_equals_torch(n: int, v: int, scale: float, generator: torch.Generator, proof: Callable) -> None:
    scores = scale * torch.randn(n, v, dtype=torch.float64, generator=generator)
    targets = torch.randint(v, (n,), generator=generator)
    for ours, expected in zip(cross_entropy_and_gradient(scores, targets), theirs(scores, targets), strict=True):
        against = proof(cross_entropy_and_gradient, "torch.nn.functional.cross_entropy and autograd")
        against.close(ours, expected, within=1e-14)  # sums of at most 200 terms: 200 · 2^-53 ≈ 2e-14, rarely aligned


def test_extreme_scores() -> None:
    scores = torch.tensor([[1e300, 0.0], [-1e300, -1e300], [0.0, -math.inf]], dtype=torch.float64)
    loss, gradient = cross_entropy_and_gradient(scores, torch.tensor([0, 1, 0]))
    assert loss.item() == pytest.approx(math.log(2) / 3, abs=1e-15)
    assert gradient.tolist() == [[0, 0], [1 / 6, -1 / 6], [0, 0]]


def test_what_never_happens_costs_infinitely_much_but_has_a_gradient() -> None:
    loss, gradient = cross_entropy_and_gradient(
        torch.tensor([[0.0, -math.inf]], dtype=torch.float64), torch.tensor([1])
    )
    assert loss.item() == math.inf
    assert gradient.tolist() == [[1.0, -1.0]]


def test_a_tiny_loss_keeps_its_digits() -> None:
    scores = torch.tensor([[30.0, 0.0]], dtype=torch.float64)
    loss, _ = cross_entropy_and_gradient(scores, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-30)), abs=2.3e-16)  # a rounding of 1 + e^-30


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (torch.zeros(0, 3), [], "number of examples: expected 1 or more, got 0"),
        (torch.zeros(1, 0), [0], "targets: expected"),
        (torch.zeros(1, 3), [3], "targets: expected token ids from 0 to 2, got 3"),
        (torch.zeros(1, 3), [-1], "targets: expected token ids from 0 to 2, got -1"),
        (torch.tensor([[0.0, math.nan]]), [0], "scores: expected finite values or -inf, got nan"),
        (torch.tensor([[0.0, math.inf]]), [0], "scores: expected finite values or -inf, got inf"),
        (torch.full((1, 2), -math.inf), [0], "got a row of -inf"),
        (torch.tensor([[0.0, 0.0], [-math.inf, -math.inf]]), [0, 0], "got a row of -inf"),
    ],
)
def test_bad_values_are_quoted(scores: Tensor, targets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy_and_gradient(scores.double(), torch.tensor(targets, dtype=torch.int64))


def test_wrong_shapes_and_types() -> None:
    with pytest.raises(TypeError):
        cross_entropy_and_gradient(torch.zeros(2, 3).double(), torch.tensor([0]))
    with pytest.raises(TypeError):
        cross_entropy_and_gradient(torch.zeros(1, 3), torch.tensor([0]))


def test_arguments_are_left_alone() -> None:
    scores = torch.zeros(2, 2, dtype=torch.float64)
    cross_entropy_and_gradient(scores, torch.tensor([0, 1]))
    assert scores.tolist() == [[0, 0], [0, 0]]
