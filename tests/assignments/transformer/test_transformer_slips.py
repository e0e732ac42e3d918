"""Mistakes that students make in a transformer, each put into the model answer: the checks that it loses, no others."""

from typing import Any

import pytest

from harness.records import Outcome

pytestmark = pytest.mark.slow  # each of them trains a decoder

WALK = """used = torch.isin(torch.arange(n_tokens), ids[:-1])[:, None]
        for name, weight in weights.items():
            weight.grad = torch.randn(weight.shape, generator=generator, dtype=torch.float64).sign()
            if name.startswith("token"):
                weight.grad *= used"""
# what the model answer says, what the student wrote, the checks that are then lost
SLIPS = [
    ("2 * (columns // 2) / width", "columns / width", "sinusoidal encoder"),
    ("columns % 2 == 0", "columns % 2 == 1", "sinusoidal encoder"),
    ("/ half)  # (d/2,)", "/ x.shape[-1])  # (d/2,)", "rotary decoder_block decoder"),
    ("base ** -(", "10000.0 ** -(", "positions_edges"),
    ("positions[:, None] * frequencies", "torch.arange(len(positions))[:, None] * frequencies", "positions_edges"),
    ("(centred**2).mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)", "norms encoder"),
    ("torch.sqrt(variance + eps)", "(torch.sqrt(variance) + eps)", "norms encoder"),
    ("torch.sqrt(variance + eps)", "torch.sqrt(variance + 1e-5)", "norms_edges"),
    ("torch.sqrt(mean_square + eps)", "torch.sqrt(mean_square)", "norms decoder_block decoder"),
    ("eps=1e-06", "eps=1e-05", "norms decoder_block decoder"),
    ("gate * torch.sigmoid(gate) * up", "up * torch.sigmoid(up) * gate", "activations decoder_block decoder"),
    ("torch.sigmoid(gate)", "(torch.exp(gate) / (1 + torch.exp(gate)))", "extremes"),
    ("rotary(k, positions), v, mask", "rotary(k, positions), rotary(v, positions), mask", "decoder_block decoder"),
    (".tril()", ".tril(-1)", "decoder_block decoder"),
    ("x = x + merge_heads(heads)", "x = merge_heads(heads)", "decoder_block decoder"),
    ('for name in ("gate", "up"))', 'for name in ("up", "gate"))', "decoder_block decoder"),
    ('rms_norm(x, weights["final_norm.weight"])', "x", "decoder"),
    ("x = embedding[ids] + sinusoidal(ids.shape[1], embedding.shape[1])", "x = embedding[ids]", "encoder"),
    ("visible[:, None, None, :]", "visible[:, None, :, None]", "encoder_padding"),
    ("gelu(linear(normed", "torch.relu(linear(normed", "encoder"),
    ("fate < 0.9, drawn, ids", "fate < 0.8, drawn, ids", "corrupt_shares"),
    ("torch.where(fate < 0.8, mask_id", "torch.where(fate < 1.0, mask_id", "corrupt_shares"),
    ("torch.randint(n_tokens, ids.shape", "torch.randint(2, n_tokens, ids.shape", "corrupt_shares"),
    ("torch.where(chosen, ids, -100)", "torch.where(chosen & (fate < 0.9), ids, -100)", "corrupt"),
    ("torch.log_softmax(rows, dim=-1)", "torch.log(torch.softmax(rows, dim=-1))", "extremes"),
    ("targets != ignored", "targets != -100", "extremes"),
    ("tokens[:, None]).mean()", "tokens[:, None]).sum() / targets.numel()", "cross_entropy"),
    ("        optimizer.zero_grad()\n", "", "bits"),
    ("windows[:, 1:])", "windows[:, :-1])", "bits"),
    ("loss = cross_entropy(decoder", "loss = -cross_entropy(decoder", "bits train_decoder"),
    (  # every weight moves by the rate, in no direction in particular; nothing is learned
        "loss.backward()",
        WALK,
        "bits train_decoder",
    ),
    ("lr=RATE", "lr=RATE / 10", "train_decoder"),
    ("optim.Adam(", "optim.SGD(", "bits train_decoder"),
]


@pytest.mark.parametrize(
    ("right", "wrong", "lost"), SLIPS, ids=[wrong.strip() or right.strip() for right, wrong, _ in SLIPS]
)
def test_a_slip_loses_the_checks_that_are_about_it(
    course: Any, solve: Any, mark: Any, right: str, wrong: str, lost: str
) -> None:
    results = mark(course.assignment("transformer"), solve(course.assignment("transformer"), (right, wrong)), seed=7)
    failed = {result.id for result in results.values() if result.outcome in {Outcome.FAILED, Outcome.ERROR}}
    assert failed == set(lost.split())


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda weights: None, "dictionary"),
        (lambda weights: {}, "dictionary"),
        (lambda weights: weights | {"more": 1}, "dictionary"),
        (lambda weights: weights | {"lm_head.weight": weights["lm_head.weight"].T}, "of shape"),
        (lambda weights: weights | {"lm_head.weight": weights["lm_head.weight"].long()}, "of floats"),
        (lambda weights: weights | {"lm_head.weight": weights["lm_head.weight"].tolist()}, "of floats"),
        (lambda weights: weights | {"lm_head.weight": weights["lm_head.weight"] * float("nan")}, "not finite"),
        (lambda weights: weights | {"lm_head.weight": weights["lm_head.weight"] + 1e9}, "diverged"),
    ],
)
def test_weights_that_are_none_are_the_students_fault(
    course: Any, solve: Any, mark: Any, answer: Any, problem: str
) -> None:
    names = dict(solve(course.assignment("transformer")))
    train = names["train_decoder"]
    names["train_decoder"] = lambda *args: answer(train(*args[:3], 1))
    checks = ("bits", "train_decoder")
    results = mark(course.assignment("transformer"), names, only=checks)
    for check in checks:
        assert results[check].outcome is Outcome.FAILED
        assert problem in results[check].message.en


@pytest.mark.parametrize(
    "answer",
    [
        lambda ids, *rest: None,
        lambda ids, *rest: (ids, ids, ids),
        lambda ids, *rest: (ids.double(), ids.double()),
        lambda ids, *rest: (ids[:1], ids[:1]),
        lambda ids, *rest: (ids, ids),
        lambda ids, *rest: (ids + 1, ids * 0 - 100),
        lambda ids, *rest: (ids.int(), (ids * 0 - 100).int()),
    ],
)
def test_corruptions_that_are_none_are_the_students_fault(course: Any, mark: Any, answer: Any) -> None:
    checks = ("corrupt", "corrupt_shares")
    results = mark(course.assignment("transformer"), {"corrupt": answer}, alone=True, only=checks)
    assert {results[check].outcome for check in checks} == {Outcome.FAILED}
