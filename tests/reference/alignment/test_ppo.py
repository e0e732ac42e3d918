"""PPO's losses by cases, their gradients by formula and finite differences, and a bandit that it learns."""

import math

import pytest
import torch

from reference.alignment import (
    entropies,
    generalised_advantages,
    policy_losses,
    ppo_loss,
    token_rewards,
    value_losses,
    whiten,
)


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def losses_of_policy_by_cases(ratio, advantage, clip):
    """Loss and gradient with respect to the log-probability, case by case as in figure 1 of the paper."""
    if advantage > 0 and ratio > 1 + clip:
        return -(1 + clip) * advantage, 0.0
    if advantage < 0 and ratio < 1 - clip:
        return -(1 - clip) * advantage, 0.0
    return -ratio * advantage, -ratio * advantage


@pytest.mark.parametrize("clip", [0.0, 0.2, 1.5])
def test_the_policy_loss_and_its_gradient_by_cases(clip, generator, proof) -> None:
    logprobs, old, advantages = normal(generator, 3, 8, 9).unbind()
    logprobs.requires_grad_()
    advantages[0, 0] = 0.0
    losses = policy_losses(logprobs, old, advantages, clip)
    losses.sum().backward()
    cases = [
        losses_of_policy_by_cases(math.exp(new - before), advantage, clip)
        for new, before, advantage in zip(
            logprobs.flatten().tolist(), old.flatten().tolist(), advantages.flatten().tolist(), strict=True
        )
    ]
    assert sum(gradient == 0.0 for _, gradient in cases) > 5
    expected, gradients = (torch.tensor(one, dtype=torch.float64).view(8, 9) for one in zip(*cases, strict=True))
    proof(policy_losses, "brute force by cases").close(losses, expected, within=1e-14)
    proof(policy_losses, "brute force by cases, gradient").close(logprobs.grad, gradients, within=1e-14)


@pytest.mark.parametrize("clip", [0.0, 0.2, 10.0])
def test_the_value_loss_and_its_gradient_by_cases(clip, generator, proof) -> None:
    values, old, returns = normal(generator, 3, 8, 9).unbind()
    values.requires_grad_()
    losses = value_losses(values, old, returns, clip)
    losses.sum().backward()
    expected, gradients = [], []
    for v, before, target in zip(*(one.flatten().tolist() for one in (values, old, returns)), strict=True):
        near = min(max(v, before - clip), before + clip)
        expected.append(max((v - target) ** 2, (near - target) ** 2) / 2)
        gradients.append(v - target if near == v or abs(v - target) > abs(near - target) else 0.0)
    proof(value_losses, "brute force").close(losses.flatten(), expected, within=1e-14)
    proof(value_losses, "brute force, gradient").close(values.grad.flatten(), gradients, within=1e-14)


def test_unclipped_it_is_the_policy_gradient(generator, proof) -> None:
    """At the policy that drew the tokens: the ratio is 1, and the gradient that of REINFORCE with the advantages."""
    logits, advantages = normal(generator, 2, 3, 5).requires_grad_(), normal(generator, 2, 3)
    actions = torch.randint(5, (2, 3), generator=generator)
    logprobs = torch.log_softmax(logits, -1).gather(-1, actions[..., None]).squeeze(-1)
    policy_losses(logprobs, logprobs.detach(), advantages, clip=0.2).sum().backward()
    expected = -advantages[..., None] * (torch.nn.functional.one_hot(actions, 5) - torch.softmax(logits, -1))
    proof(policy_losses, "Williams 1992: REINFORCE").close(logits.grad, expected, within=1e-14)


def test_on_the_boundary_the_gradient_is_the_unclipped_one() -> None:
    old = torch.zeros(1, 2, dtype=torch.float64)
    for ratio, advantage in ((1.5, 1.0), (0.5, -1.0)):
        logprobs = torch.full((1, 2), math.log(ratio), dtype=torch.float64, requires_grad=True)
        ratios = torch.exp(logprobs.detach())
        clip = abs(ratios[0, 0].item() - 1)
        policy_losses(logprobs, old, torch.full_like(old, advantage), clip).sum().backward()
        assert logprobs.grad.tolist() == (-ratios * advantage).tolist()
    values = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
    value_losses(values, torch.zeros(1, 1).double(), torch.ones(1, 1).double() * 3, clip=0.5).backward()
    assert values.grad.item() == -2.5


def test_equally_wrong_on_either_side_is_half_a_gradient() -> None:
    values = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    value_losses(values, torch.zeros(1, 1).double(), torch.ones(1, 1).double() * 1.25, clip=0.5).backward()
    assert values.grad.item() == 0.375


def test_gradients_go_to_what_trains_alone(generator) -> None:
    numbers = [one.requires_grad_() for one in normal(generator, 3, 2, 4).unbind()]
    (policy_losses(*numbers, clip=0.2) + value_losses(*numbers, clip=0.2)).sum().backward()
    assert numbers[0].grad is not None
    assert numbers[1].grad is None
    assert numbers[2].grad is None


def test_the_parts_add_up_over_the_real_tokens(generator, proof) -> None:
    policy, value, entropy = normal(generator, 3, 3, 4).unbind()
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=torch.bool)
    for part in (policy, value, entropy):
        part[~mask] = torch.nan
    total = sum(
        (policy[b, t] + 0.5 * value[b, t] - 0.01 * entropy[b, t]).item()
        for b in range(3)
        for t in range(4)
        if mask[b, t]
    )
    ours = ppo_loss(policy, value, entropy, mask, value_weight=0.5, entropy_weight=0.01)
    proof(ppo_loss, "brute force").close(ours, total / 7, within=1e-14)


def test_the_whole_loss_by_finite_differences(generator, proof) -> None:
    """From logits and values through all parts to one number; no ratio and no value near its clip."""
    logits, actions = normal(generator, 2, 4, 3), torch.randint(3, (2, 4), generator=generator)
    old = torch.log_softmax(logits, -1).gather(-1, actions[..., None]).squeeze(-1)
    old_values, mask = normal(generator, 2, 5), torch.tensor([[True] * 4, [True, True, False, False]])
    rewards = token_rewards(normal(generator, 2), old, old - 0.1, mask, kl_weight=0.2)
    ended = torch.tensor([[False] * 3 + [True], [False, True, False, False]])
    advantages, returns = generalised_advantages(rewards, old_values, ended, 0.99, 0.95)
    fixed = whiten(advantages, mask)

    def loss(logits, values):
        now = torch.log_softmax(logits, -1).gather(-1, actions[..., None]).squeeze(-1)
        parts = policy_losses(now, old, fixed, 0.2), value_losses(values, old_values[:, :-1], returns, 0.2)
        return ppo_loss(*parts, entropies(logits), mask, value_weight=0.5, entropy_weight=0.01)

    at = [
        (logits + 0.3 * normal(generator, 2, 4, 3)).requires_grad_(),
        (old_values[:, :-1] + 0.3 * normal(generator, 2, 4)).requires_grad_(),
    ]
    gradients = torch.autograd.grad(loss(*at), at)
    step = 1e-6
    for which, gradient in enumerate(gradients):
        expected = torch.zeros(gradient.numel(), dtype=torch.float64)
        for index in range(gradient.numel()):
            moved = []
            for sign in (1, -1):
                shifted = [one.detach().clone() for one in at]
                shifted[which].view(-1)[index] += sign * step
                moved.append(loss(*shifted).item())
            expected[index] = (moved[0] - moved[1]) / (2 * step)
        assert gradient.abs().max() > 1e-2
        # central differences: 2⁻⁵³ / step of rounding, times a loss of about 1
        proof(ppo_loss, "finite differences").close(gradient.flatten(), expected, within=1e-9)


def test_on_a_bandit_the_policy_improves_and_stays_near(generator) -> None:
    """One state, four actions, each a token: the best action becomes likely, the less so the stronger the penalty."""
    gains = torch.tensor([0.0, 0.2, 1.0, 0.5], dtype=torch.float64)
    shares = [_trained(gains, kl_weight, generator) for kl_weight in (0.0, 1.0)]
    free, held = ((share * gains).sum().item() for share in shares)
    assert free > 0.85  # from 0.425 at the start
    assert 0.5 < held < 0.75
    optimum = torch.softmax(gains / 1.0, -1)  # with penalty weight 1 from a uniform reference: π_ref · exp(r / β)
    assert (shares[1] - optimum).abs().max() < 0.1


def _trained(gains, kl_weight, generator, *, rounds=50, n=300):
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    baseline = torch.zeros((), dtype=torch.float64, requires_grad=True)
    reference = torch.full((n, 1), math.log(1 / 4), dtype=torch.float64)
    mask = torch.ones(n, 1, dtype=torch.bool)
    optimizer = torch.optim.Adam([logits, baseline], lr=0.05)
    for _ in range(rounds):
        with torch.no_grad():
            actions = torch.multinomial(torch.softmax(logits, -1), n, replacement=True, generator=generator)
            old, old_value = torch.log_softmax(logits, -1)[actions][:, None], baseline.expand(n, 1).clone()
        rewards = token_rewards(gains[actions], old, reference, mask, kl_weight)
        advantages, returns = generalised_advantages(rewards, old_value.repeat(1, 2), mask, 1.0, 1.0)
        fixed = whiten(advantages, mask)
        for _ in range(3):
            now = torch.log_softmax(logits, -1)
            parts = (
                policy_losses(now[actions][:, None], old, fixed, 0.2),
                value_losses(baseline.expand(n, 1), old_value, returns, 0.2),
            )
            loss = ppo_loss(*parts, entropies(now).expand(n, 1), mask, value_weight=0.5, entropy_weight=0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return torch.softmax(logits, -1).detach()


ONE = torch.ones(1, 1, dtype=torch.float64)
YES = torch.ones(1, 1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: policy_losses(ONE, ONE, ONE, -0.1), "clip: expected 0 or more, got -0.1"),
        (lambda: policy_losses(ONE, ONE, ONE, math.nan), "clip: expected 0 or more, got nan"),
        (lambda: policy_losses(ONE, ONE, ONE, math.inf), "clip: expected a finite number, got inf"),
        (lambda: policy_losses(ONE * math.nan, ONE, ONE, 0.2), "^logprobs: expected finite values, got nan"),
        (lambda: policy_losses(ONE, -ONE / 0, ONE, 0.2), "old_logprobs: expected finite values, got -inf"),
        (lambda: policy_losses(ONE, ONE, ONE / 0, 0.2), "advantages: expected finite values, got inf"),
        (lambda: policy_losses(ONE, ONE * -800, ONE, 0.2), r"exp\(logprobs - old_logprobs\): expected finite values"),
        (lambda: value_losses(ONE, ONE, ONE, -0.1), "clip: expected 0 or more, got -0.1"),
        (lambda: value_losses(ONE / 0, ONE, ONE, 0.2), "^values: expected finite values, got inf"),
        (lambda: value_losses(ONE, ONE / 0, ONE, 0.2), "old_values: expected finite values, got inf"),
        (lambda: value_losses(ONE, ONE, ONE / 0, 0.2), "returns: expected finite values, got inf"),
        (lambda: ppo_loss(ONE, ONE, ONE, ~YES, 0.5, 0.0), "mask: expected at least one token that counts, got none"),
        (lambda: ppo_loss(ONE, ONE, ONE, YES, -0.5, 0.0), "value_weight: expected 0 or more, got -0.5"),
        (lambda: ppo_loss(ONE, ONE, ONE, YES, 0.5, math.inf), "entropy_weight: expected a finite number, got inf"),
        (lambda: ppo_loss(ONE, ONE / 0, ONE, YES, 0.5, 0.0), "values: expected finite values, got inf"),
    ],
)
def test_bad_values(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_tokens_no_losses(shape) -> None:
    empty = torch.zeros(shape, dtype=torch.float64)
    assert policy_losses(empty, empty, empty, 0.2).shape == shape
    assert value_losses(empty, empty, empty, 0.2).shape == shape


@pytest.mark.gpu
def test_ppo_on_gpu(generator) -> None:
    numbers, mask = normal(generator, 3, 2, 4).unbind(), torch.ones(2, 4, dtype=torch.bool)

    def loss(numbers, mask):
        return ppo_loss(policy_losses(*numbers, 0.2), value_losses(*numbers, 0.2), numbers[0], mask, 0.5, 0.01)

    there = loss([one.cuda() for one in numbers], mask.cuda())
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), loss(numbers, mask), rtol=0, atol=1e-14)
