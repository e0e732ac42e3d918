"""Distillation against torch's divergences, trl's, its gradient's formula, and the rules at the edges."""

import math

import pytest
import torch
from torch.nn import functional

from reference.finetuning import distillation_loss


def draw(generator, n, v):
    student, teacher = torch.randn((2, n, v), generator=generator, dtype=torch.float64) * 3
    return student, teacher, torch.randint(v, (n,), generator=generator)


@pytest.mark.parametrize(("n", "v"), [(1, 1), (1, 4), (6, 5)])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_it_is_the_mixture_of_torchs_losses(n, v, temperature, weight, generator, proof) -> None:
    student, teacher, labels = draw(generator, n, v)
    soft = functional.kl_div(
        torch.log_softmax(student / temperature, -1), torch.softmax(teacher / temperature, -1), reduction="batchmean"
    )
    hard = functional.cross_entropy(student, labels)
    proof(distillation_loss, "torch kl_div, cross_entropy").close(
        distillation_loss(student, teacher, labels, temperature, weight),
        weight * temperature**2 * soft + (1 - weight) * hard,
        within=1e-13,
    )


@pytest.mark.filterwarnings("ignore:You are importing from 'trl.experimental'")
def test_its_soft_part_is_trls(generator, proof) -> None:
    from trl.experimental.gkd import GKDTrainer  # here, where its warning is expected

    student, teacher, labels = draw(generator, 6, 5)
    theirs = GKDTrainer.generalized_jsd_loss(student, teacher, beta=0, temperature=3.0)
    ours = distillation_loss(student, teacher, labels, temperature=3.0, soft_weight=1.0)
    proof(distillation_loss, "trl GKDTrainer.generalized_jsd_loss").close(ours, 9 * theirs, within=1e-13)


def test_it_is_the_sum_over_classes(generator, proof) -> None:
    student, teacher, labels = draw(generator, 3, 4)
    total = 0.0
    for s, t, label in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = (_softmax([x / 2 for x in row]) for row in (t, s))
        total += 0.75 * 4 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total -= 0.25 * math.log(_softmax(s)[label])
    ours = distillation_loss(student, teacher, labels, temperature=2.0, soft_weight=0.75)
    proof(distillation_loss, "brute force").close(ours, total / 3, within=1e-13)


def _softmax(row):
    total = sum(math.exp(x) for x in row)
    return [math.exp(x) / total for x in row]


def test_the_gradient_is_its_formula_and_spares_the_teacher(generator, proof) -> None:
    student, teacher, labels = draw(generator, 6, 5)
    student.requires_grad_()
    teacher.requires_grad_()
    distillation_loss(student, teacher, labels, temperature=3.0, soft_weight=0.6).backward()
    p, q = torch.softmax(teacher / 3, -1), torch.softmax(student / 3, -1)
    soft, hard = 3 * (q - p), torch.softmax(student, -1) - functional.one_hot(labels, 5)
    proof(distillation_loss, "T (q - p) / n").close(student.grad, (0.6 * soft + 0.4 * hard) / 6, within=1e-13)
    assert teacher.grad is None


def test_a_student_like_its_teacher_pays_nothing(generator) -> None:
    student, _, labels = draw(generator, 6, 5)
    assert distillation_loss(student, student + 7, labels, 2.0, soft_weight=1.0).abs() < 1e-14


def test_what_the_teacher_excludes_counts_nothing(generator, proof) -> None:
    student, teacher, labels = draw(generator, 4, 5)
    teacher[:, 2] = -torch.inf
    student.requires_grad_()
    ours = distillation_loss(student, teacher, labels, 2.0, soft_weight=1.0)
    theirs = 4 * functional.kl_div(
        torch.log_softmax(student / 2, -1), torch.softmax(teacher / 2, -1), reduction="batchmean"
    )
    proof(distillation_loss, "torch kl_div, cross_entropy").close(ours, theirs, within=1e-13)
    ours.backward()
    assert student.grad.isfinite().all()


def test_extreme_logits(proof) -> None:
    student = torch.tensor([[1e4, 0.0]], dtype=torch.float64)
    ours = distillation_loss(student, -student, torch.tensor([0]), temperature=1.0, soft_weight=1.0)
    proof(distillation_loss, "published limit: the logits' gap").close(ours, 1e4, within=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, "temperature: expected a finite number above 0, got 0.0"),
        ({"temperature": math.inf}, "temperature: expected a finite number above 0, got inf"),
        ({"temperature": math.nan}, "temperature: expected a finite number above 0, got nan"),
        ({"soft_weight": -0.1}, "soft_weight: expected a number from 0 to 1, got -0.1"),
        ({"soft_weight": 1.1}, "soft_weight: expected a number from 0 to 1, got 1.1"),
        ({"soft_weight": math.nan}, "soft_weight: expected a number from 0 to 1, got nan"),
        ({"labels": torch.tensor([3])}, "labels: expected token ids from 0 to 2, got 3"),
        ({"labels": torch.tensor([-1])}, "labels: expected token ids from 0 to 2, got -1"),
        ({"student": torch.full((1, 3), torch.nan).double()}, "student: expected finite values, got nan"),
        ({"student": torch.full((1, 3), -torch.inf).double()}, "student: expected finite values, got -inf"),
        ({"teacher": torch.full((1, 3), torch.inf).double()}, "teacher: expected finite values or -inf, got inf"),
        ({"teacher": torch.full((1, 3), -torch.inf).double()}, "teacher: expected a class above -inf in each row"),
    ],
)
def test_bad_values(change, message) -> None:
    good = {
        "student": torch.zeros(1, 3).double(),
        "teacher": torch.zeros(1, 3).double(),
        "labels": torch.tensor([0]),
        "temperature": 1.0,
        "soft_weight": 0.5,
    }
    with pytest.raises(ValueError, match=message):
        distillation_loss(**good | change)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_nothing_to_average(shape) -> None:
    empty = torch.zeros(shape).double()
    with pytest.raises(ValueError, match="student: expected at least one row and one class"):
        distillation_loss(empty, empty, torch.zeros(shape[0], dtype=torch.int64), 1.0, 0.5)


def test_student_and_teacher_share_their_classes() -> None:
    with pytest.raises(TypeError):
        distillation_loss(torch.zeros(1, 3).double(), torch.zeros(1, 4).double(), torch.tensor([0]), 1.0, 0.5)


@pytest.mark.gpu
def test_distillation_on_gpu(generator) -> None:
    student, teacher, labels = draw(generator, 6, 5)
    loss = distillation_loss(student.cuda(), teacher.cuda(), labels.cuda(), 2.0, 0.5)
    assert loss.is_cuda
    torch.testing.assert_close(loss.cpu(), distillation_loss(student, teacher, labels, 2.0, 0.5), rtol=0, atol=1e-13)
