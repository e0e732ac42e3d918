"""Values near the ends of float64, empty shapes and bodies that do not fit: right, or refused."""

import math

import pytest
import torch
from torch import Tensor, nn

from reference.alignment import (
    RewardModel,
    entropies,
    generalised_advantages,
    masked_mean,
    pairwise_losses,
    policy_losses,
    token_logprobs,
    token_rewards,
    whiten,
)


def double(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_an_overflow_after_termination_stays_there() -> None:
    rewards, values = double([1.0, 1e308]), double([0.0, 0.0, 1e308])
    advantages, _ = generalised_advantages(rewards, values, torch.tensor([[True, False]]), 1.0, 1.0)
    assert advantages[0, 0] == 1


def test_one_step_advantages_do_not_hear_of_later_overflows() -> None:
    rewards, values = double([1.0, 1e308]), double([0.0, 0.0, 1e308])
    advantages, _ = generalised_advantages(rewards, values, torch.tensor([[False, False]]), 1.0, 0.0)
    assert advantages[0, 0] == 1


@pytest.mark.parametrize("size", [1e10, 1e200, 1.7e308])
def test_whitened_values_of_any_size(size: float) -> None:
    whitened = whiten(double([size, -size, 9.0]), torch.tensor([[True, True, False]]))
    torch.testing.assert_close(whitened, double([1.0, -1.0, 0.0]), rtol=0, atol=1e-15)


def test_overflows_are_refused() -> None:
    marked = torch.tensor([[True, True]])
    with pytest.raises(ValueError, match="mean of values: expected finite values, got inf"):
        masked_mean(double([1.7e308, 1.7e308]), marked)
    with pytest.raises(ValueError, match="policy - reference: expected finite values, got -inf"):
        token_rewards(double(1.0), double([0.0, -1e308]), double([0.0, 1e308]), marked, 0.0)
    with pytest.raises(ValueError, match="chosen - rejected: expected finite values, got -inf"):
        pairwise_losses(double(-1e308), double(1e308), double(-1e308))
    with pytest.raises(ValueError, match="chosen - rejected - margin: expected finite values, got -inf"):
        pairwise_losses(double(-1e308), double(0.0), double(1e308))


def test_an_unmarked_overflow_changes_no_reward() -> None:
    mask = torch.tensor([[True, False]])
    rewards = token_rewards(double(1.0), double([0.0, -1e308]), double([0.0, 1e308]), mask, 0.0)
    assert rewards.tolist() == [[1.0, 0.0]]


def test_no_vocabulary_is_refused_without_rows_too() -> None:
    with pytest.raises(ValueError, match="expected a token above -inf"):
        entropies(torch.zeros(0, 0, dtype=torch.float64))
    with pytest.raises(ValueError, match="expected a token above -inf"):
        token_logprobs(torch.zeros(0, 2, 0, dtype=torch.float64), torch.zeros(0, 2, dtype=torch.int64))


def test_no_gradient_one_rounding_beyond_the_clip() -> None:
    start = math.log(1.2)
    beyond = next(x for k in range(99) if double(x := start + k * 2.0**-55).exp().item() > 1.2)
    logprobs = double([beyond]).requires_grad_()  # a ratio of 1.2 and one rounding, which the products lose
    policy_losses(logprobs, double([0.0]), double([0.42243637422747826]), clip=0.2).sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.item() == 0


class Fixed(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.ones(self.shape, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(2, 5, 2), (2, 1, 2), (1, 3, 2), (2, 2)])
def test_a_body_without_a_state_for_each_token_is_refused(shape: tuple[int, ...]) -> None:
    model = RewardModel(Fixed(*shape), width=2, generator=torch.Generator())
    with pytest.raises(ValueError, match="expected a state for each"):
        model(torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool))
