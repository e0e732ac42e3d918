"""Mistakes made when a model is adapted, and the checks that they lose: those and no others."""

from typing import Any

import nbformat
import pytest

from harness.records import Outcome

LOGARITHMS = "    log_probabilities = torch.log_softmax(logits[rows, columns - 1], -1)  # (N, V)"
ROUNDED = "    log_probabilities = torch.softmax(logits[rows, columns - 1], -1).log()"
MEAN = "    return -log_probabilities[torch.arange(len(rows)), ids[rows, columns]].mean().item()"
BY_ROW = """    chosen = log_probabilities[torch.arange(len(rows)), ids[rows, columns]]
    return -sum(chosen[rows == row].mean() for row in rows.unique()) / len(rows.unique())"""
IN_TURN = """        b = b - learning_rate * slopes.T @ (x @ a.T)
        errors = torch.softmax(lora_forward(x, weight, a, b, alpha), -1)
        errors[torch.arange(len(targets)), targets] -= 1
        a = a - learning_rate * (scaling * errors / len(targets) @ b).T @ x"""
TOGETHER = "        a, b = a - learning_rate * (slopes @ b).T @ x, b - learning_rate * slopes.T @ (x @ a.T)"
STABLE = "-functional.logsigmoid(chosen - rejected)"
SUM = ".sum(-1)"
SLIPS = [  # the cell, what the model answer says there, what the student wrote, the checks that are then lost
    ("answer-mask", "False\n    for", "True\n    for", "answer_mask"),
    ("answer-mask", "            answering = False\n    return", "            pass\n    return", "answer_mask_turns"),
    ("answer-mask", "    return mask", "    return mask[1:] + [False]", "answer_mask"),
    (
        "answer-mask",
        "    return mask",
        "    return mask if ids[-1] == end else [False] * len(ids)",
        "answer_mask_turns",
    ),
    ("answer-loss", "columns - 1", "columns", "answer_loss"),
    ("answer-loss", "ids[rows, columns]", "ids[rows, columns - 1]", "answer_loss"),
    ("answer-loss", MEAN, BY_ROW, "answer_loss"),
    ("answer-loss", ".mean()", ".sum()", "answer_loss"),
    ("answer-loss", ".mean()", ".sum().div(mask.numel())", "answer_loss"),
    ("answer-loss", LOGARITHMS, ROUNDED, "answer_loss_edges"),
    ("least-squares-probe", "penalty * torch", "len(x) * penalty * torch", "least_squares_probe"),
    ("least-squares-probe", "x = features - mean_x", "x = features", "least_squares_probe"),
    ("least-squares-probe", " - mean_x @ weights", "", "least_squares_probe"),
    ("least-squares-probe", "torch.eye(x.shape[1]", "torch.ones(x.shape[1], x.shape[1]", "least_squares_probe"),
    ("least-squares-probe", ", dtype=torch.float64)", ")", "least_squares_probe"),
    ("lora-parameters", "(outputs + inputs)", "outputs * inputs", "lora_parameters"),
    ("lora-parameters", "rank *", "min(rank, outputs, inputs) *", "lora_parameters"),
    ("lora-parameters", "return adapted, ", "return adapted, adapted + ", "lora_parameters"),
    ("lora-start", "2 * uniform - 1", "uniform", "lora_start_distribution"),
    ("lora-start", "math.sqrt(n_inputs)", "n_inputs", "lora_start_distribution"),
    ("lora-start", "n_inputs, generator=generator,", "n_inputs,", "lora_start"),
    ("lora-start", "(2 * uniform - 1)", "(2 * uniform.sort().values - 1)", "lora_start_distribution"),
    ("lora-start", "torch.zeros", "1e-3 * torch.ones", "lora_start"),
    ("lora-forward", "alpha / len(a)", "alpha", "lora_forward train_lora"),
    ("lora-forward", "alpha / len(a)", "alpha / a.shape[1]", "lora_forward train_lora"),
    ("lora-forward", "x @ weight.T + ", "", "lora_forward train_lora"),
    ("lora-forward", "x @ weight.T", "torch.einsum('nd,kd->nk', x, weight)", "lora_forward_shapes"),
    ("lora-merge", "alpha / len(a)", "alpha / len(a) ** 0.5", "lora_merge"),
    ("lora-merge", "weight + ", "weight - ", "lora_merge"),
    ("train-lora", TOGETHER, IN_TURN, "train_lora"),
    ("train-lora", "a - learning_rate", "a + learning_rate", "train_lora"),
    ("train-lora", "scaling * errors / len(targets)", "errors / len(targets)", "train_lora"),
    ("train-lora", "scaling * errors / len(targets)", "scaling * errors / mask.numel()", "train_lora"),
    ("train-lora", "ids[rows, columns - 1]", "ids[rows, columns]", "train_lora"),
    ("train-lora", "range(n_steps)", "range(max(n_steps, 1))", "train_lora_edges"),
    ("distillation-loss", "temperature**2 * ", "", "distillation_loss"),
    ("distillation-loss", "temperature**2", "temperature", "distillation_loss"),
    ("distillation-loss", "p * log_q", "log_q.exp() * log_q", "distillation_loss"),
    ("distillation-loss", "torch.xlogy(p, p)", "p * p.log()", "distillation_loss_edges"),
    (
        "distillation-loss",
        "torch.log_softmax(student, -1)",
        "torch.log_softmax(student / temperature, -1)",
        "distillation_loss",
    ),
    ("sequence-logprobs", SUM, ".sum(-1) / mask.sum(-1).clamp(min=1)", "sequence_logprobs"),
    ("sequence-logprobs", SUM, ".sum(-1) / mask.sum(-1) * mask.sum(-1)", "sequence_logprobs_edges"),
    ("pairwise-losses", STABLE, "-torch.log(torch.sigmoid(chosen - rejected))", "pairwise_losses_far dpo_loss_far"),
    ("pairwise-losses", STABLE, "torch.log1p(torch.exp(rejected - chosen))", "pairwise_losses_far dpo_loss_far"),
    ("pairwise-losses", "chosen - rejected", "rejected - chosen", "pairwise_losses dpo_loss"),
    ("dpo-loss", "beta * (policy_rejected - reference_rejected)", "beta * policy_rejected", "dpo_loss"),
    ("dpo-loss", "beta * (policy_chosen - reference_chosen)", "policy_chosen - reference_chosen", "dpo_loss"),
    ("dpo-loss", ".mean()", ".sum()", "dpo_loss"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "right", "wrong", "lost"), SLIPS)
def test_a_slip_loses_the_checks_that_are_about_it(
    course: Any, mark: Any, cell: str, right: str, wrong: str, lost: str
) -> None:
    assignment = course.assignment("finetuning")
    results = mark(assignment, answers(assignment, cell, right, wrong), seed=7)
    failed = {result.id for result in results.values() if result.outcome in {Outcome.FAILED, Outcome.ERROR}}
    assert failed == set(lost.split())
    skipped = {result.id for result in results.values() if result.outcome is Outcome.SKIPPED}
    assert {Outcome.PASSED} >= {result.outcome for id_, result in results.items() if id_ not in failed | skipped}


def answers(assignment: Any, slipped: str, right: str, wrong: str) -> dict[str, Any]:
    """What the model answer defines, with a slip in one cell; the base model that it ships is not trained."""
    text = (assignment.folder / "source.ipynb").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for cell in nbformat.reads(text, as_version=4).cells:  # type: ignore[no-untyped-call]
        if cell.id == slipped:
            assert right in cell.source
            cell.source = cell.source.replace(right, wrong)
        if cell.id == "imports" or "solution" in cell.metadata.get("tags", []):
            exec(cell.source, names)
    return names


def test_measured_in_full_and_with_room_whatever_the_seed(course: Any, mark: Any) -> None:
    assignment = course.assignment("finetuning")
    names = answers(assignment, "imports", "", "")
    for seed in range(3):
        assert mark(assignment, names, seed=seed)["bits"].points == 1
