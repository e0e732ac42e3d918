"""Rewards, advantages and averages by their definitions, as sums written out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reference.alignment import generalised_advantages, masked_mean, token_rewards, whiten


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def episodes(generator, b, t, *, end_probability=0.3):
    ended = torch.rand((b, t), generator=generator) < end_probability
    return normal(generator, b, t), normal(generator, b, t + 1), ended


def by_definition(rewards, values, ended, discount, smoothing):
    """A[t] = Σ over l of (γλ)^l δ[t+l], up to the end of the episode or of the row."""
    advantages = []
    for t in range(len(rewards)):
        total = 0.0
        for later in range(t, len(rewards)):
            following = 0.0 if ended[later] else discount * values[later + 1]
            total += (discount * smoothing) ** (later - t) * (rewards[later] + following - values[later])
            if ended[later]:
                break
        advantages.append(total)
    return advantages


@pytest.mark.parametrize(("discount", "smoothing"), [(1.0, 0.95), (0.9, 0.5), (0.99, 0.0), (0.9, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize(("b", "t"), [(1, 1), (5, 9), (3, 0), (0, 4)])
def test_advantages_are_discounted_sums_of_errors(b, t, discount, smoothing, generator, proof) -> None:
    rewards, values, ended = episodes(generator, b, t)
    advantages, returns = generalised_advantages(rewards, values, ended, discount, smoothing)
    rows = zip(rewards.tolist(), values.tolist(), ended.tolist(), strict=True)
    expected = np.array([by_definition(*row, discount, smoothing) for row in rows]).reshape(b, t)
    ours = proof(generalised_advantages, "brute force")
    ours.close(advantages, expected, within=1e-13)
    ours.close(returns, expected + values[:, :-1].numpy(), within=1e-13)


def test_advantages_are_averages_of_returns_of_all_lengths(generator, proof) -> None:
    """Schulman et al., equation 16: (1 - λ) Σ λ^(k-1) · (k-step advantage), what is left on the longest."""
    rewards, values, _ = episodes(generator, 1, 7)
    discount, smoothing = 0.9, 0.6
    r, v = rewards[0].tolist(), values[0].tolist()
    expected = []
    for t in range(7):
        total = 0.0
        for k in range(1, 7 - t + 1):
            steps = sum(discount**i * r[t + i] for i in range(k)) + discount**k * v[t + k] - v[t]
            total += steps * smoothing ** (k - 1) * (1 if t + k == 7 else 1 - smoothing)
        expected.append(total)
    ours, _ = generalised_advantages(rewards, values, torch.zeros(1, 7, dtype=torch.bool), discount, smoothing)
    proof(generalised_advantages, "equation 16: average of k-step returns").close(ours, [expected], within=1e-13)


def test_without_smoothing_it_is_one_step_with_it_all_the_way(generator) -> None:
    rewards, values, ended = episodes(generator, 4, 6)
    one_step, _ = generalised_advantages(rewards, values, ended, 0.9, smoothing=0.0)
    follows = values[:, 1:].masked_fill(ended, 0.0)
    torch.testing.assert_close(one_step, rewards + 0.9 * follows - values[:, :-1], rtol=0, atol=1e-14)
    ended[:, -1] = True
    _, returns = generalised_advantages(rewards, values, ended, 0.9, smoothing=1.0)
    _, elsewhere = generalised_advantages(rewards, values * 5 - 1, ended, 0.9, smoothing=1.0)
    torch.testing.assert_close(returns, elsewhere, rtol=0, atol=1e-13)  # λ = 1: the values cancel


def test_termination_shields_and_bootstrapping_does_not(generator) -> None:
    rewards, values, _ = episodes(generator, 1, 5)
    ended = torch.tensor([[False, False, True, False, False]])
    before, _ = generalised_advantages(rewards, values, ended, 0.9, 0.9)
    rewards[:, 3:], values[:, 3:] = 1e6, -1e6
    after, _ = generalised_advantages(rewards, values, ended, 0.9, 0.9)
    assert torch.equal(before[:, :3], after[:, :3])
    unended, _ = generalised_advantages(rewards, values, ended & ~ended, 0.9, 0.9)
    assert (unended[:, :3] != before[:, :3]).all()
    ended[:, -1] = True  # the last value counts exactly where nothing ended
    values[:, -1] = 77.0
    assert generalised_advantages(rewards, values, ended, 0.9, 0.9)[0][0, -1] == rewards[0, -1] - values[0, -2]


def test_advantages_and_rewards_are_no_functions_of_the_policy(generator) -> None:
    rewards, values, ended = episodes(generator, 2, 3)
    pair = generalised_advantages(rewards.requires_grad_(), values.requires_grad_(), ended, 0.9, 0.9)
    assert not any(one.requires_grad for one in pair)
    logprobs = normal(generator, 2, 3).requires_grad_()
    mask = torch.ones(2, 3, dtype=torch.bool)
    assert not token_rewards(values[:, 0], logprobs, logprobs, mask, 0.1).requires_grad


@pytest.mark.parametrize("kl_weight", [0.0, 0.1, 3.0])
def test_rewards_token_by_token(kl_weight, generator, proof) -> None:
    scores, policy, reference = normal(generator, 4), normal(generator, 4, 5), normal(generator, 4, 5)
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 1]], dtype=torch.bool)
    policy[~mask], reference[~mask] = -torch.inf, torch.nan  # whatever stands in padding
    expected = np.zeros((4, 5))
    for row in range(4):
        marked = [step for step in range(5) if mask[row, step]]
        for step in marked:
            expected[row, step] = -kl_weight * (policy[row, step] - reference[row, step]).item()
        expected[row, marked[-1]] += scores[row].item()
    ours = token_rewards(scores, policy, reference, mask, kl_weight)
    proof(token_rewards, "brute force").close(ours, expected, within=1e-15)


def test_the_penalty_is_the_divergence_on_average(proof) -> None:
    """Σ π(token) · penalty over a whole vocabulary is KL(π ‖ π_ref), by torch."""
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.5, -0.5]], dtype=torch.float64)
    policy, reference = (torch.log_softmax(one, -1)[:, None] for one in logits)
    mask = torch.ones(3, 1, dtype=torch.bool)
    rewards = token_rewards(torch.zeros(3).double(), policy, reference, mask, kl_weight=1.0)
    divergence = torch.nn.functional.kl_div(reference, policy, reduction="sum", log_target=True)
    ours = -(policy.exp() * rewards).sum()
    proof(token_rewards, "torch kl_div, in expectation").close(ours, divergence, within=1e-15)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 4), st.integers(1, 6))
def test_whitened_values_are_z_scores(data, b, t) -> None:
    numbers = st.floats(-1e3, 1e3)
    values = torch.tensor(data.draw(st.lists(numbers, min_size=b * t, max_size=b * t))).double().view(b, t)
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=b * t, max_size=b * t))).view(b, t)
    mask[0, 0] = True
    chosen = values[mask].numpy()
    ours = whiten(values, mask)
    assert (ours[~mask] == 0).all()
    spread = chosen.std()
    if spread > 1e-2:  # 1e-8 beside the deviation changes a share of 1e-8 / spread
        np.testing.assert_allclose(ours[mask], stats.zscore(chosen), rtol=2e-6, atol=1e-9)
    assert ours.abs().max() <= math.sqrt(chosen.size) + 1e-9


def test_whitening_and_averaging_by_formula(generator, proof) -> None:
    values, mask = normal(generator, 3, 5), torch.rand((3, 5), generator=generator) < 0.6
    chosen = [
        value
        for row, marks in zip(values.tolist(), mask.tolist(), strict=True)
        for value, m in zip(row, marks, strict=True)
        if m
    ]
    mean = sum(chosen) / len(chosen)
    spread = math.sqrt(sum((one - mean) ** 2 for one in chosen) / len(chosen))
    expected = np.where(mask.numpy(), (values.numpy() - mean) / (spread + 1e-8), 0.0)
    proof(whiten, "brute force").close(whiten(values, mask), expected, within=1e-14)
    proof(masked_mean, "brute force").close(masked_mean(values, mask), mean, within=1e-15)
    proof(masked_mean, "numpy.ma.mean").close(
        masked_mean(values, mask), np.ma.array(values, mask=~mask.numpy()).mean(), within=1e-15
    )
    z = stats.zscore(np.array(chosen))
    proof(whiten, "scipy.stats.zscore").close(whiten(values, mask)[mask], z, within=1e-7)  # without the 1e-8


@pytest.mark.parametrize("value", [1e9 / 7, 12345678.9, -1e300, 0.1])
def test_equal_values_become_zero_whatever_they_are(value) -> None:
    values = torch.full((1, 7), value, dtype=torch.float64)
    assert (whiten(values, torch.ones_like(values, dtype=torch.bool)) == 0).all()


def test_averages_ignore_padding_and_send_it_no_gradient() -> None:
    values = torch.tensor([[1.0, torch.nan, 5.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, False, True]])
    mean = masked_mean(values, mask)
    mean.backward()
    assert mean.item() == 3.0
    assert values.grad.tolist() == [[0.5, 0.0, 0.5]]
    assert whiten(values, mask).round(decimals=6).tolist() == [[-1.0, 0.0, 1.0]]


ONE = torch.ones(1, 1, dtype=torch.float64)
YES = torch.ones(1, 1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: masked_mean(ONE, ~YES), "mask: expected at least one token that counts, got none"),
        (lambda: masked_mean(ONE[:0], YES[:0]), "mask: expected at least one token that counts, got none"),
        (lambda: masked_mean(ONE * math.nan, YES), "values: expected finite values, got nan"),
        (lambda: whiten(ONE, ~YES), "mask: expected at least one token that counts, got none"),
        (lambda: whiten(ONE * math.inf, YES), "values: expected finite values, got inf"),
        (lambda: token_rewards(ONE[0], ONE, ONE, ~YES, 0.1), "mask: expected a token of the completion in each row"),
        (lambda: token_rewards(ONE[0] * math.nan, ONE, ONE, YES, 0.1), "scores: expected finite values, got nan"),
        (lambda: token_rewards(ONE[0], -ONE / 0, ONE, YES, 0.1), "policy: expected finite values, got -inf"),
        (lambda: token_rewards(ONE[0], ONE, -ONE / 0, YES, 0.1), "reference: expected finite values, got -inf"),
        (lambda: token_rewards(ONE[0], ONE, ONE, YES, -0.1), "kl_weight: expected 0 or more, got -0.1"),
        (lambda: token_rewards(ONE[0], ONE, ONE, YES, math.nan), "kl_weight: expected 0 or more, got nan"),
        (lambda: token_rewards(ONE[0], ONE, ONE, YES, math.inf), "kl_weight: expected a finite number, got inf"),
        (lambda: _advantages(discount=1.1), "discount: expected a number from 0 to 1, got 1.1"),
        (lambda: _advantages(discount=math.nan), "discount: expected a number from 0 to 1, got nan"),
        (lambda: _advantages(smoothing=-0.1), "smoothing: expected a number from 0 to 1, got -0.1"),
        (lambda: _advantages(reward=math.nan), "rewards: expected finite values, got nan"),
        (lambda: _advantages(value=math.inf), "values: expected finite values, got inf"),
    ],
)
def test_bad_values(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def _advantages(reward=0.0, value=0.0, discount=1.0, smoothing=1.0):
    values = torch.full((1, 2), value, dtype=torch.float64)
    return generalised_advantages(ONE * reward, values, YES, discount, smoothing)


def test_values_are_one_more_than_rewards() -> None:
    with pytest.raises(TypeError):
        generalised_advantages(ONE, ONE, YES, 1.0, 1.0)


@pytest.mark.gpu
def test_advantages_on_gpu(generator) -> None:
    rewards, values, ended = episodes(generator, 3, 6)
    there = generalised_advantages(rewards.cuda(), values.cuda(), ended.cuda(), 0.9, 0.9)
    for ours, expected in zip(there, generalised_advantages(rewards, values, ended, 0.9, 0.9), strict=True):
        assert ours.is_cuda
        torch.testing.assert_close(ours.cpu(), expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(whiten(rewards.cuda(), ended.cuda()).cpu(), whiten(rewards, ended), rtol=0, atol=1e-13)
    scored = token_rewards(values[:, 0].cuda(), rewards.cuda(), rewards.cuda() / 2, ended.cuda() | True, 0.1)
    assert scored.is_cuda
