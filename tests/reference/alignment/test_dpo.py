"""DPO against trl's trainers, its gradient against the paper's formula, and a bandit on which it learns."""

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from reference.alignment import (
    dpo_losses,
    implicit_rewards,
    pairwise_losses,
    preference_accuracy,
    sequence_logprobs,
)


def logprobs(generator, *shape):
    return -10 * torch.rand(shape, generator=generator, dtype=torch.float64)


def trl_dpo(policy, reference, beta):
    """trl's loss on log-probabilities that we give; a completion of one token stands for each."""
    same = SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        accelerator=same,
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        beta=beta,
        loss_types=["sigmoid"],
        loss_weights=[1.0],
        use_weighting=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
        _tp_size=1,
    )
    n = policy.numel()
    outputs = SimpleNamespace(
        log_probs=policy.reshape(n, 1),
        entropy=torch.zeros(n, 1),
        mean_logits=torch.zeros(n, 1),
        is_top1=torch.ones(n, 1, dtype=torch.bool),
    )
    inputs = {
        "input_ids": torch.zeros(n, 2, dtype=torch.int64),
        "attention_mask": torch.ones(n, 2),
        "completion_mask": torch.tensor([[0, 1]]).repeat(n, 1),
        "ref_chosen_logps": reference[0],
        "ref_rejected_logps": reference[1],
    }
    from trl.trainer.dpo_trainer import DPOTrainer

    loss = DPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, return_outputs=False)
    return loss, {name: values[0] for name, values in trainer._metrics["eval"].items()}


@pytest.mark.parametrize("beta", [0.01, 0.1, 2.0])
@pytest.mark.parametrize("b", [1, 7])
def test_it_is_trls(b, beta, generator, proof) -> None:
    policy, reference = logprobs(generator, 2, 2, b)
    theirs, metrics = trl_dpo(policy, reference, beta)
    chosen, rejected = (implicit_rewards(p, r, beta) for p, r in zip(policy, reference, strict=True))
    authority = "trl DPOTrainer"
    proof(dpo_losses, authority).close(dpo_losses(chosen, rejected).mean(), theirs, within=1e-14)
    proof(implicit_rewards, authority).close(chosen.mean(), metrics["rewards/chosen"], within=1e-14)
    proof(implicit_rewards, authority).close(rejected.mean(), metrics["rewards/rejected"], within=1e-14)
    proof(implicit_rewards, authority).close((chosen - rejected).mean(), metrics["rewards/margins"], within=1e-14)
    # trl averages in float32
    proof(preference_accuracy, authority).close(
        preference_accuracy(chosen, rejected), metrics["rewards/accuracies"], within=2.0**-24
    )


@pytest.mark.filterwarnings("ignore:You are importing from 'trl.experimental'")
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.49])
def test_smoothed_and_without_reference_it_is_trls(smoothing, generator, proof) -> None:
    from trl.experimental.cpo import CPOTrainer  # here, where its warning is expected

    policy, reference = logprobs(generator, 2, 2, 6)
    trainer = SimpleNamespace(
        alpha=0.0, beta=0.3, label_smoothing=smoothing, loss_type="sigmoid", accelerator=SimpleNamespace(device="cpu")
    )
    for baseline in (None, reference):
        ratios = policy if baseline is None else policy - baseline
        losses, *rewards = CPOTrainer.cpo_loss(trainer, *ratios)
        baselines = (None, None) if baseline is None else baseline
        ours = [implicit_rewards(p, r, beta=0.3) for p, r in zip(policy, baselines, strict=True)]
        authority = "trl CPOTrainer.cpo_loss"
        proof(dpo_losses, authority).close(dpo_losses(*ours, label_smoothing=smoothing), losses, within=1e-14)
        for one, theirs in zip(ours, rewards, strict=True):
            proof(implicit_rewards, authority).close(one, theirs, within=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_it_is_the_formula(smoothing, generator, proof) -> None:
    policy, reference = logprobs(generator, 2, 2, 5)
    expected = []
    for won, lost, ref_won, ref_lost in zip(*policy.tolist(), *reference.tolist(), strict=True):
        p = 1 / (1 + math.exp(-0.3 * ((won - ref_won) - (lost - ref_lost))))
        expected.append(-(1 - smoothing) * math.log(p) - smoothing * math.log(1 - p))
    rewards = [implicit_rewards(p, r, beta=0.3) for p, r in zip(policy, reference, strict=True)]
    proof(dpo_losses, "brute force").close(dpo_losses(*rewards, smoothing), expected, within=1e-13)
    if not smoothing:
        assert torch.equal(dpo_losses(*rewards), pairwise_losses(*rewards))


@pytest.mark.parametrize("start_at_reference", [False, True])
def test_the_gradient_is_the_papers(start_at_reference, generator, proof) -> None:
    policy, reference = logprobs(generator, 2, 2, 5)
    policy = (reference if start_at_reference else policy).clone().requires_grad_()
    reference.requires_grad_()
    chosen, rejected = (implicit_rewards(p, r, beta=0.3) for p, r in zip(policy, reference, strict=True))
    dpo_losses(chosen, rejected).sum().backward()
    weight = 0.3 * torch.sigmoid(rejected - chosen)
    authority = "Rafailov et al. 2023, section 4: the gradient"
    proof(dpo_losses, authority).close(policy.grad, torch.stack([-weight, weight]), within=1e-15)
    assert reference.grad is None


def test_the_gradient_of_a_model_by_finite_differences(generator, proof) -> None:
    """From logits through sequence log-probabilities to the loss, in one piece."""
    logits = torch.randn((4, 3, 5), generator=generator, dtype=torch.float64).requires_grad_()
    ids = torch.randint(5, (4, 3), generator=generator)
    mask = torch.tensor([[False, True, True]] * 3 + [[False, True, False]])
    reference = logprobs(generator, 4)

    def loss(logits):
        rewards = implicit_rewards(sequence_logprobs(logits, ids, mask), reference, beta=0.5)
        return dpo_losses(rewards[:2], rewards[2:], label_smoothing=0.1).mean()

    (gradient,) = torch.autograd.grad(loss(logits), logits)
    step, expected = 1e-5, torch.zeros(logits.numel(), dtype=torch.float64)
    for index in range(logits.numel()):
        shift = torch.zeros(logits.numel(), dtype=torch.float64)
        shift[index] = step
        shift = shift.view_as(logits)
        expected[index] = (loss(logits + shift) - loss(logits - shift)).item() / (2 * step)
    # central differences: step² / 6 of curvature and 2⁻⁵³ / step of rounding
    proof(dpo_losses, "finite differences").close(gradient.flatten(), expected, within=1e-9)


def test_smoothing_moves_the_optimum_to_a_finite_margin() -> None:
    best = math.log(0.8 / 0.2)
    margins = torch.tensor([best], dtype=torch.float64, requires_grad=True)
    dpo_losses(margins, torch.zeros(1).double(), label_smoothing=0.2).sum().backward()
    assert margins.grad.abs().item() < 1e-15
    around = dpo_losses(torch.tensor([best - 0.1, best, best + 0.1]).double(), torch.zeros(3).double(), 0.2)
    assert around.argmin() == 1


def test_extreme_margins_and_no_pairs() -> None:
    chosen, rejected = torch.tensor([[0.0, 1e5, -1e5], [0.0, -1e5, 1e5]], dtype=torch.float64)
    assert dpo_losses(chosen, rejected).tolist() == [math.log(2), 0.0, 2e5]
    assert dpo_losses(chosen[:0], rejected[:0]).shape == (0,)
    assert implicit_rewards(chosen[:0], None, beta=1.0).shape == (0,)


def test_on_a_bandit_it_finds_the_optimal_policy(proof) -> None:
    """Every pair is compared as Bradley and Terry say; the policy then tends to π_ref · exp(r / β), normalised."""
    truth, beta = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64), 0.5
    reference = torch.log_softmax(torch.tensor([0.3, 0.0, -0.2], dtype=torch.float64), -1)
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    wins = torch.stack([torch.sigmoid(truth[i] - truth[j]) for i, j in pairs])
    chosen, rejected = (torch.tensor(one) for one in zip(*pairs, strict=True))
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-13, tolerance_change=1e-16)

    def loss():
        optimizer.zero_grad()
        rewards = implicit_rewards(torch.log_softmax(logits, -1), reference, beta)
        total = (wins * dpo_losses(rewards[chosen], rewards[rejected])).sum()
        total.backward()
        return total

    optimizer.step(loss)
    optimal = functional.softmax(reference + truth / beta, dim=-1)
    authority = "Rafailov et al. 2023, equation 4: the optimal policy"
    # the optimiser stops with a gradient near 1e-13 and a curvature near 0.1
    proof(implicit_rewards, authority).close(torch.softmax(logits, -1), optimal, within=1e-8)


@pytest.mark.parametrize("beta", [0.0, -1.0, math.nan, math.inf])
def test_bad_beta(beta) -> None:
    with pytest.raises(ValueError, match=f"beta: expected a finite number above 0, got {beta}"):
        implicit_rewards(torch.zeros(1).double(), None, beta)


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 1.0, math.nan])
def test_bad_smoothing(smoothing) -> None:
    with pytest.raises(ValueError, match=f"label_smoothing: expected a number from 0 to below 0.5, got {smoothing}"):
        dpo_losses(torch.zeros(1).double(), torch.zeros(1).double(), smoothing)


def test_bad_logprobs_and_rewards() -> None:
    zero = torch.zeros(1).double()
    with pytest.raises(ValueError, match=r"policy: expected log-probabilities of at most 0, got 0\.5"):
        implicit_rewards(zero + 0.5, zero, 1.0)
    with pytest.raises(ValueError, match=r"reference: expected log-probabilities of at most 0, got 0\.5"):
        implicit_rewards(zero, zero + 0.5, 1.0)
    with pytest.raises(ValueError, match="policy: expected finite values, got -inf"):
        implicit_rewards(zero - torch.inf, zero, 1.0)
    with pytest.raises(ValueError, match="reference: expected finite values, got nan"):
        implicit_rewards(zero, zero * torch.nan, 1.0)
    with pytest.raises(ValueError, match="chosen_rewards: expected finite values, got nan"):
        dpo_losses(zero * torch.nan, zero)
    with pytest.raises(ValueError, match="rejected_rewards: expected finite values, got inf"):
        dpo_losses(zero, zero + torch.inf)
    with pytest.raises(TypeError):
        implicit_rewards(zero, torch.zeros(2).double(), 1.0)


@pytest.mark.gpu
def test_dpo_on_gpu(generator) -> None:
    policy, reference = logprobs(generator, 2, 5)
    rewards = implicit_rewards(policy.cuda(), reference.cuda(), 0.5)
    losses = dpo_losses(rewards, -rewards, 0.1)
    assert losses.is_cuda
    expected = implicit_rewards(policy, reference, 0.5)
    torch.testing.assert_close(losses.cpu(), dpo_losses(expected, -expected, 0.1), rtol=0, atol=1e-14)


def test_rewards_whose_difference_is_beyond_float64() -> None:
    far = torch.tensor([1e308], dtype=torch.float64)
    for label_smoothing in (0.0, 0.25):
        with pytest.raises(ValueError, match="chosen_rewards - rejected_rewards: expected finite values, got inf"):
            dpo_losses(far, -far, label_smoothing)
