"""Distillation: a student learns a teacher's softened distribution. Not covered: hidden states, several teachers."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.values import above_zero, finite, logits, token_ids


@checked
def distillation_loss(
    student: Float64[Tensor, "n V"],
    teacher: Float64[Tensor, "n V"],
    labels: Int64[Tensor, " n"],
    temperature: float,
    soft_weight: float,
) -> Float64[Tensor, ""]:
    """Mix the divergence from the teacher's softened distribution with the cross-entropy of the true labels.

    With p = softmax(teacher / T) and q = softmax(student / T):
    loss = soft_weight · T² · mean of KL(p ‖ q) + (1 - soft_weight) · mean of -log softmax(student)[label].
    T² keeps the soft gradient, T · (q - p) / n a row, as large as the hard one. Means are over the n rows. A teacher's
    logit may be -inf: p is 0 there, and 0 · log 0 counts 0. No gradient goes to the teacher. T² multiplies the rounding
    of KL, about 2⁻⁵², too.

    Source: Hinton, Vinyals and Dean 2015 (arXiv:1503.02531), section 2.
    Departs from it: the soft term is the divergence, smaller by the teacher's entropy; same gradient.

    Args:
        student: logits.
        teacher: logits.
        labels: the true class of each row.
        temperature: T, finite, above 0.
        soft_weight: of the soft term, from 0 to 1.
    Raises:
        ValueError: there is no row or no class; a student's logit is not finite, a teacher's is NaN or +inf or all of a
            row are -inf; a label is unknown; the temperature or weight is out of range; the loss overflows.

    Cost: O(n·V).

    >>> student, teacher = torch.tensor([[[0.0, 0.0]], [[0.0, -torch.inf]]], dtype=torch.float64)
    >>> loss = distillation_loss(student, teacher, torch.tensor([0]), temperature=2.0, soft_weight=1.0)
    >>> round(loss.item(), 6)                                          # 2² · log 2
    2.772589
    """
    _require_range(temperature, soft_weight)
    _require_logits(student, teacher)
    token_ids("labels", labels, student.shape[-1])
    log_p = torch.log_softmax(teacher.detach() / temperature, dim=-1)  # (n, V)
    log_q = torch.log_softmax(student / temperature, dim=-1)  # (n, V)
    divergence = (log_p.exp() * (log_p - log_q).masked_fill(log_p == -torch.inf, 0.0)).sum(dim=-1)  # (n,)
    hard = -torch.log_softmax(student, dim=-1).gather(-1, labels[:, None])  # (n, 1)
    loss = soft_weight * temperature * temperature * divergence.mean() + (1 - soft_weight) * hard.mean()
    finite("loss", loss.detach())
    return loss


def _require_logits(student: Float64[Tensor, "n V"], teacher: Float64[Tensor, "n V"]) -> None:
    if not student.numel():
        raise ValueError(f"student: expected at least one row and one class, got shape {tuple(student.shape)}")
    finite("student", student)
    logits("teacher", teacher)
    if (teacher == -torch.inf).all(dim=-1).any():
        raise ValueError("teacher: expected a class above -inf in each row, got a row of -inf")


def _require_range(temperature: float, soft_weight: float) -> None:
    above_zero("temperature", temperature)
    if not 0 <= soft_weight <= 1:
        raise ValueError(f"soft_weight: expected a number from 0 to 1, got {soft_weight}")
