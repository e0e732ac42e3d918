"""AdamW, schedule, clipping and one step, against torch and transformers."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup

from reference.training import AdamW, Step, clip_gradients, cosine_with_warmup, train_step

# float64: forty steps of a dozen roundings each, values of size about 1: 500 · 2^-53 ≈ 6e-14
TOLERANCE = 1e-13


def parameters(*shapes: tuple[int, ...], seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in shapes]


def give(owners: list[nn.Parameter], gradients: list[Tensor | None]) -> None:
    for owner, gradient in zip(owners, gradients, strict=True):
        owner.grad = None if gradient is None else gradient.clone()


SETTINGS = [
    {},
    {"betas": (0.9, 0.95), "weight_decay": 0.1},
    {"betas": (0.0, 0.0), "weight_decay": 0.0},
    {"eps": 1.0, "weight_decay": 3.0},
    {"betas": (0.5, 0.999), "eps": 1e-12},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_adamw_equals_torch(proof, settings: dict, generator: torch.Generator) -> None:
    shapes = [(3, 4), (5,), (), (0,)]
    ours, theirs = parameters(*shapes), parameters(*shapes)
    mine = AdamW(ours, **settings)
    other = torch.optim.AdamW(theirs, lr=0.1, foreach=False, **settings)
    for step in range(40):
        rate = 0.1 / (1 + step)
        gradients = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
        gradients[1] = None if step % 3 else gradients[1]  # a parameter that is not always used
        gradients[2] *= 1e-9 if step % 2 else 0.0
        give(ours, gradients)
        give(theirs, gradients)
        mine.step(rate)
        other.param_groups[0]["lr"] = rate
        other.step()
    for own, their in zip(ours, theirs, strict=True):
        proof(AdamW, "torch.optim.AdamW").close(own, their, within=TOLERANCE)


def test_adamw_equals_the_formulas_by_hand(proof) -> None:
    (weight,) = parameters((1,))
    theta, m, v, (b1, b2), eps, decay, rate = weight.item(), 0.0, 0.0, (0.8, 0.9), 0.01, 0.2, 0.3
    optimizer = AdamW([weight], betas=(b1, b2), eps=eps, weight_decay=decay)
    for t, gradient in enumerate([1.0, -2.0, 0.0, 0.5], start=1):
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step(rate)
        m, v = b1 * m + (1 - b1) * gradient, b2 * v + (1 - b2) * gradient**2
        theta -= rate * (m / (1 - b1**t) / (math.sqrt(v / (1 - b2**t)) + eps) + decay * theta)
        proof(AdamW, "brute force").close(weight, [theta], within=1e-14)


def test_without_gradient_nothing_happens_and_zero_gradient_decays() -> None:
    used, unused = parameters((2,), (2,))
    before = [used.detach().clone(), unused.detach().clone()]
    optimizer = AdamW([used, unused], weight_decay=0.5)
    used.grad = torch.zeros_like(used)
    optimizer.step(0.1)
    assert torch.equal(used, before[0] * 0.95)
    assert torch.equal(unused, before[1])
    assert [optimizer.state()[f"steps.{i}"].item() for i in (0, 1)] == [1, 0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_a_gradient_that_is_not_finite_changes_nothing(bad: float) -> None:
    first, second = parameters((2,), (2,))
    optimizer = AdamW([first, second])
    before, state = [first.detach().clone(), second.detach().clone()], optimizer.state()
    give([first, second], [torch.ones(2, dtype=torch.float64), torch.tensor([1.0, bad], dtype=torch.float64)])
    with pytest.raises(ValueError, match="square of the gradient of parameter 1: expected finite values"):
        optimizer.step(0.1)
    assert torch.equal(first, before[0])
    assert torch.equal(second, before[1])
    assert all(torch.equal(tensor, state[name]) for name, tensor in optimizer.state().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"betas": (1.0, 0.9)}, "betas"),
        ({"betas": (0.9, -0.1)}, "betas"),
        ({"eps": 0.0}, "eps: expected a number above 0, got 0.0"),
        ({"weight_decay": -0.1}, "weight_decay: expected 0 or more"),
        ({"weight_decay": math.nan}, "weight_decay"),
    ],
)
def test_adamw_refuses_settings(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdamW(parameters((1,)), **settings)


def test_adamw_refuses_no_parameters_and_twins() -> None:
    with pytest.raises(ValueError, match="parameters: expected one or more, each once, got 0"):
        AdamW([])
    with pytest.raises(ValueError, match="each once"):
        AdamW(parameters((1,)) * 2)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_adamw_refuses_a_rate(rate: float) -> None:
    with pytest.raises(ValueError, match="rate: expected"):
        AdamW(parameters((1,))).step(rate)


def test_a_state_is_a_copy_and_brings_back_the_steps() -> None:
    ours, theirs = parameters((3,)), parameters((3,))
    first, second = AdamW(ours), AdamW(theirs)
    give(ours, [torch.ones(3, dtype=torch.float64)])
    first.step(0.1)
    state = first.state()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    place = ours[0].detach().clone()
    first.step(0.1)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in state.items())
    second.restore(state)
    with torch.no_grad():
        theirs[0].copy_(place)
    give(theirs, [torch.ones(3, dtype=torch.float64)])
    second.step(0.1)
    assert torch.equal(ours[0], theirs[0])
    assert all(torch.equal(tensor, kept[name]) for name, tensor in state.items())


def test_adamw_refuses_a_foreign_state() -> None:
    optimizer = AdamW(parameters((2,)))
    for state in (AdamW(parameters((3,))).state(), AdamW(parameters((2,), (2,))).state(), {}):
        with pytest.raises(ValueError, match="expected"):
            optimizer.restore(state)


@pytest.mark.parametrize(("warmup", "total"), [(0, 1), (0, 10), (3, 10), (1, 2), (9, 10), (100, 1000)])
def test_schedule_equals_transformers(proof, warmup: int, total: int) -> None:
    optimizer = torch.optim.SGD(parameters((1,)), lr=0.3)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup, total)
    theirs = []
    for _ in range(total + 1):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    ours = [cosine_with_warmup(step, peak=0.3, warmup_steps=warmup, total_steps=total) for step in range(total + 1)]
    proof(cosine_with_warmup, "transformers get_cosine_schedule_with_warmup").close(ours, theirs, within=1e-15)


def test_schedule_with_a_floor_equals_torch(proof) -> None:
    optimizer = torch.optim.SGD(parameters((1,)), lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.05)
    theirs = []
    for _ in range(21):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    ours = [cosine_with_warmup(step, peak=0.3, warmup_steps=0, total_steps=20, floor=0.05) for step in range(21)]
    # torch goes from step to step by a recurrence, which rounds twenty times
    proof(cosine_with_warmup, "torch.optim.lr_scheduler.CosineAnnealingLR").close(ours, theirs, within=1e-14)


@pytest.mark.parametrize(
    ("step", "warmup", "total", "expected"),
    [
        *[(0, 0, 0, 0.1), (0, 0, 4, 1.0), (3, 4, 4, 0.75), (4, 4, 4, 0.1)],
        *[(0, 2, 4, 0.0), (1, 2, 4, 0.5), (2, 2, 4, 1.0), (3, 2, 4, 0.55), (4, 2, 4, 0.1), (999, 2, 4, 0.1)],
    ],
)
def test_schedule_at_its_corners(step: int, warmup: int, total: int, expected: float) -> None:
    rate = cosine_with_warmup(step, peak=1, warmup_steps=warmup, total_steps=total, floor=0.1)
    assert rate == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"step": -1}, "step: expected 0 or more, got -1"),
        ({"warmup_steps": -1}, "warmup_steps: expected 0 to 10, the total, got -1"),
        ({"warmup_steps": 11}, "warmup_steps"),
        ({"total_steps": -1, "warmup_steps": 0}, "warmup_steps"),
        ({"floor": 2.0}, "floor and peak"),
        ({"floor": -0.1}, "floor and peak"),
        ({"peak": math.inf}, "floor and peak"),
        ({"peak": math.nan}, "floor and peak"),
    ],
)
def test_schedule_refuses(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cosine_with_warmup(**({"step": 1, "peak": 1.0, "warmup_steps": 2, "total_steps": 10} | changed))


@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 5.0, 1e9, math.inf])
def test_clipping_equals_torch(proof, max_norm: float) -> None:
    shapes = [(3, 4), (5,), (), (0,)]
    ours, theirs = parameters(*shapes), parameters(*shapes)
    gradients = [gradient.detach() for gradient in parameters(*shapes, seed=5)]
    give(ours, gradients)
    give(theirs, gradients)
    norm = clip_gradients(ours, max_norm)
    their_norm = nn.utils.clip_grad_norm_(theirs, max_norm).item()
    proof(clip_gradients, "torch.nn.utils.clip_grad_norm_").close(norm, their_norm, within=1e-14)
    # torch divides by norm + 1e-6, we by the norm
    undone = (their_norm + 1e-6) / their_norm if their_norm > max_norm else 1.0
    for own, their in zip(ours, theirs, strict=True):
        proof(clip_gradients, "torch.nn.utils.clip_grad_norm_").close(own.grad, their.grad * undone, within=1e-14)


@pytest.mark.parametrize(
    ("max_norm", "expected"), [(5.0, [3.0, 4.0]), (4.999, [2.9994, 3.9992]), (4.0, [2.4, 3.2]), (6.0, [3.0, 4.0])]
)
def test_clipping_at_the_threshold(max_norm: float, expected: list[float]) -> None:
    (weight,) = parameters((2,))
    weight.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert clip_gradients([weight], max_norm) == 5.0
    assert weight.grad.tolist() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_norm_neither_overflows_nor_underflows(scale: float) -> None:
    (weight,) = parameters((2,))
    weight.grad = torch.tensor([3.0, 4.0], dtype=torch.float64) * scale
    assert clip_gradients([weight], math.inf) == pytest.approx(5 * scale, rel=1e-15)


def test_clipping_of_no_and_zero_gradients() -> None:
    first, second = parameters((2,), (2,))
    assert clip_gradients([], 1) == clip_gradients([first, second], 1) == 0.0
    first.grad = torch.zeros_like(first)
    assert clip_gradients([first, second], 1) == 0.0
    assert first.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [(math.nan, "gradient: expected"), (math.inf, "gradient: expected"), (1.7e308, "norm of the gradient: expected")],
)
def test_clipping_refuses_what_is_not_finite_and_changes_nothing(bad: float, message: str) -> None:
    first, second = parameters((2,), (2,))
    gradients = torch.tensor([[3.0, 1.7e308], [1.7e308, bad]], dtype=torch.float64)
    give([first, second], list(gradients))
    with pytest.raises(ValueError, match=message):
        clip_gradients([first, second], 1)
    assert first.grad.tolist() == [3.0, 1.7e308]


@pytest.mark.parametrize("max_norm", [0, -1.0, math.nan])
def test_clipping_refuses_a_threshold(max_norm: float) -> None:
    with pytest.raises(ValueError, match="max_norm: expected a number above 0"):
        clip_gradients(parameters((1,)), max_norm)


def bigram(seed: int = 0) -> nn.Embedding:
    (weight,) = parameters((7, 7), seed=seed)
    return nn.Embedding.from_pretrained(weight.detach().clone(), freeze=False)


def test_steps_equal_torch_throughout(proof, generator: torch.Generator) -> None:
    ours, theirs = bigram(), bigram()
    mine, other = AdamW(ours.parameters()), torch.optim.AdamW(theirs.parameters(), lr=0.1)
    for step in range(30):
        ids = torch.randint(7, (4, 6), generator=generator)
        inputs, targets = ids[:, :-1], ids[:, 1:].clone()
        targets[0, :2] = -100
        taken = train_step(ours, mine, inputs=inputs, targets=targets, rate=0.1 / (step + 1), max_norm=0.05)
        other.zero_grad()
        loss = nn.functional.cross_entropy(theirs(inputs).reshape(-1, 7), targets.reshape(-1))
        loss.backward()
        norm = nn.utils.get_total_norm([theirs.weight.grad])
        theirs.weight.grad.mul_(min(1.0, 0.05 / norm.item()))  # without torch's 1e-6
        other.param_groups[0]["lr"] = 0.1 / (step + 1)
        other.step()
        proof(train_step, "torch: cross_entropy, get_total_norm, AdamW").close(
            ours.weight, theirs.weight, within=TOLERANCE
        )
        proof(Step, "torch: cross_entropy, get_total_norm").close(
            [taken.loss, taken.gradient_norm], [loss.item(), norm.item()], within=TOLERANCE
        )


def test_leftover_gradients_do_not_count() -> None:
    clean, dirty = bigram(), bigram()
    dirty.weight.grad = torch.ones_like(dirty.weight)
    ids = torch.tensor([[0, 1, 2]])
    for model in (clean, dirty):
        train_step(model, AdamW(model.parameters()), inputs=ids, targets=ids, rate=0.1, max_norm=1)
    assert torch.equal(clean.weight, dirty.weight)


def test_a_step_that_fails_leaves_the_parameters() -> None:
    model = bigram()
    before = model.weight.detach().clone()
    ids = torch.tensor([[0, 1, 2]])
    for targets in (torch.full_like(ids, -100), torch.full_like(ids, 7)):
        with pytest.raises(ValueError, match="targets"):
            train_step(model, AdamW(model.parameters()), inputs=ids, targets=targets, rate=0.1, max_norm=1)
    assert torch.equal(model.weight, before)


def test_a_model_of_another_shape_is_refused() -> None:
    model = bigram()
    ids = torch.tensor([[0, 1, 2]])
    with pytest.raises(TypeError):
        train_step(lambda ids: model(ids)[0], AdamW(model.parameters()), inputs=ids, targets=ids, rate=0.1, max_norm=1)


def test_bigram_learns_its_counts(proof) -> None:
    """At the optimum of the loss, a table of logits gives the relative frequencies."""
    text = torch.tensor([[0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1]])
    table = nn.Embedding(2, 2, dtype=torch.float64)
    nn.init.zeros_(table.weight)
    optimizer = AdamW(table.parameters(), weight_decay=0)
    for step in range(600):
        rate = cosine_with_warmup(step, peak=0.1, warmup_steps=10, total_steps=600)
        train_step(table, optimizer, inputs=text[:, :-1], targets=text[:, 1:], rate=rate, max_norm=1)
    pairs = list(zip(text[0, :-1].tolist(), text[0, 1:].tolist(), strict=True))
    frequencies = [[pairs.count((i, j)) / sum(first == i for first, _ in pairs) for j in (0, 1)] for i in (0, 1)]
    # convex, and the last hundred steps shrink the distance each: what is left is rounding, 600 · 2^-53 ≈ 7e-14
    proof(train_step, "bigram counts").close(torch.softmax(table.weight, -1), frequencies, within=1e-12)


@pytest.mark.gpu
def test_gpu_takes_the_same_steps() -> None:
    here, there = bigram(), bigram().cuda()
    ids = torch.tensor([[0, 1, 2, 3]])
    mine, other = AdamW(here.parameters()), AdamW(there.parameters())
    for _ in range(5):
        train_step(here, mine, inputs=ids, targets=ids, rate=0.1, max_norm=0.1)
        train_step(there, other, inputs=ids.cuda(), targets=ids.cuda(), rate=0.1, max_norm=0.1)
    torch.testing.assert_close(there.weight.cpu(), here.weight, rtol=TOLERANCE, atol=TOLERANCE)


def test_every_finite_rate_is_taken() -> None:
    (weight,) = parameters((1,))
    for rate in (1e300, 10**30, np.float64(0.1)):
        before = weight.item()
        give([weight], [torch.zeros(1, dtype=torch.float64)])
        AdamW([weight], weight_decay=0).step(rate)
        assert weight.item() == before


@pytest.mark.parametrize("bad", [math.inf, 10**400], ids=["infinite", "integer"])
def test_what_is_beyond_float64_is_refused(bad: float) -> None:
    (weight,) = parameters((1,))
    give([weight], [torch.ones(1, dtype=torch.float64)])
    with pytest.raises(ValueError, match="weight_decay: expected a finite number"):
        AdamW([weight], weight_decay=bad)
    optimizer = AdamW([weight])
    with pytest.raises(ValueError, match="rate: expected a finite number"):
        optimizer.step(bad)
    assert optimizer.state()["steps.0"].item() == 0
    with pytest.raises(ValueError, match="floor and peak"):
        cosine_with_warmup(0, peak=bad, warmup_steps=0, total_steps=1)


def test_a_restored_state_has_no_gradient() -> None:
    (weight,) = parameters((1,))
    optimizer = AdamW([weight])
    state = optimizer.state()
    optimizer.restore(state | {"first.0": state["first.0"].requires_grad_()})
    assert not optimizer.state()["first.0"].requires_grad


def test_schedule_of_the_largest_rates() -> None:
    assert cosine_with_warmup(0, peak=1.5e308, warmup_steps=0, total_steps=3) == 1.5e308
    assert cosine_with_warmup(1, peak=1.5e308, warmup_steps=0, total_steps=2) == pytest.approx(0.75e308, rel=1e-15)


def test_schedule_begins_at_the_peak_and_never_passes_it() -> None:
    generator = torch.Generator().manual_seed(0)
    for peak, share in torch.rand(2000, 2, generator=generator, dtype=torch.float64).tolist():
        first, second = (
            cosine_with_warmup(step, peak=peak, floor=peak * share, warmup_steps=0, total_steps=10**7)
            for step in (0, 1)
        )
        assert first == peak >= second


@pytest.mark.parametrize(("size", "max_norm"), [(1e300, 1e-100), (-1e300, 1e-15), (2e-308, 3e-320)])
def test_clipping_from_huge_to_tiny(size: float, max_norm: float) -> None:
    (weight,) = parameters((1,))
    give([weight], [torch.tensor([size], dtype=torch.float64)])
    clip_gradients([weight], max_norm)
    assert weight.grad.item() == pytest.approx(math.copysign(max_norm, size), rel=1e-15, abs=5e-324)


def test_clipping_counts_a_gradient_once() -> None:
    first, second = parameters((2,), (2,))
    give([first], [torch.tensor([3.0, 4.0], dtype=torch.float64)])
    second.grad = first.grad
    assert clip_gradients([first, first, second], 2.5) == 5.0
    assert first.grad.tolist() == [1.5, 2.0]
