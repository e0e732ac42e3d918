"""What the statement says is what the model answer does: the worked examples of each section, and the base model."""

import math
import re
from typing import Any

import nbformat
import pytest
import torch


@pytest.fixture
def names(course: Any, solve: Any) -> dict[str, Any]:
    return solve(course.assignment("finetuning"))


@pytest.fixture(params=("fr", "en"))
def prose(course: Any, request: pytest.FixtureRequest) -> str:
    """All that is said in one language, with decimal points and plain spaces."""
    path = course.assignment("finetuning").folder / "source.ipynb"
    cells = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4).cells  # type: ignore[no-untyped-call]
    text = "\n".join(cell.source for cell in cells if request.param in cell.metadata.get("tags", []))
    text = re.sub(r"(?<=\d)(,|\{,\})(?=\d)", ".", re.sub("[\u00a0\u202f]", " ", text))
    assert len(re.findall(r"^\*Ex", text, flags=re.MULTILINE)) == 12
    return text


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


LOGITS = tensor([[[0, math.log(3)], [math.log(9), 0], [0, 0]]])
IDS = torch.tensor([[0, 1, 1]])
BOTH = torch.tensor([[False, True, True]])


def test_what_is_learned(names: Any, prose: str) -> None:
    answer = [False, False, False, False, True, True, True]
    assert f"`[1, 7, 3, 2, 8, 9, 3]` {'donne' if 'donne' in prose else 'gives'} `{answer}`" in prose
    assert names["answer_mask"]([1, 7, 3, 2, 8, 9, 3], 2, 3) == answer
    loss = names["answer_loss"]
    assert "`[0, ln 3]`, `[ln 9, 0]`, `[0, 0]`" in prose
    assert f"{float(loss(LOGITS, IDS, BOTH)):.4f}" == "1.2951"
    assert f"{float(loss(LOGITS, IDS, torch.tensor([[False, False, True]]))):.4f}" == "2.3026"
    assert all(number in prose for number in ("1.2951", "2.3026"))
    assert f"{float(names['sequence_logprobs'](LOGITS, IDS, BOTH)):.4f}" == "-2.5903"
    assert "`[-2.5903]`" in prose


def test_the_probe(names: Any, prose: str) -> None:
    weights, bias = names["least_squares_probe"](tensor([[0], [1], [2]]), tensor([[1], [4], [7]]), 2.0)
    assert (weights.item(), bias.item()) == (1.5, 2.5)
    assert "W = 6 / (2 + 2) = 1.5" in prose
    assert "b = 4 − 1 · 1.5 = 2.5" in prose


def test_the_adapter(names: Any, prose: str) -> None:
    assert names["lora_parameters"]([(768, 768), (3072, 768)], 8) == (43008, 2949120)
    assert "`(43008, 2949120)`" in prose
    a, b = names["lora_start"](2, 4, rank=1, seed=0)
    assert a.shape == (1, 4)
    assert a.abs().max() <= 0.5
    assert b.tolist() == [[0], [0]]
    weight, a, b = torch.eye(2).double(), tensor([[1, 1], [0, 2]]), tensor([[1, 0], [0, -1]])
    assert names["lora_forward"](tensor([3, 1]), weight, a, b, 4.0).tolist() == [11, -3]
    assert names["lora_merge"](weight, a, b, 4.0).tolist() == [[3, 2], [0, -3]]
    for shown in ("`[[1, 1], [0, 2]]`", "`[[1, 0], [0, -1]]`", "`[11, -3]`", "`[[3, 2], [0, -3]]`"):
        assert shown in prose


def test_a_step(names: Any, prose: str) -> None:
    start = tensor([[1, 1]]), tensor([[0], [0]])
    a, b = names["train_lora"](
        torch.eye(2).double(), 0 * torch.eye(2).double(), *start, 2.0, IDS[:, :2], BOTH[:, :2], 1.0, 1
    )
    assert (a.tolist(), b.tolist()) == ([[1, 1]], [[-1], [1]])
    assert "`b` = `[[-1], [1]]`" in prose


def test_distillation(names: Any, prose: str) -> None:
    student, teacher, label = tensor([[0, 0]]), tensor([[2 * math.log(3), 0]]), torch.tensor([1])
    losses = [float(names["distillation_loss"](student, teacher, label, 2.0, weight)) for weight in (1.0, 0.25)]
    assert [f"{loss:.4f}" for loss in losses] == ["0.5232", "0.6507"]
    assert f"{losses[0] / 4:.4f}" == "0.1308"
    assert all(number in prose for number in ("0.1308", "0.5232", "0.6507"))


def test_preferences(names: Any, prose: str) -> None:
    losses = names["pairwise_losses"](tensor([0, 1, -1000, 40]), tensor([0, 0, 0, 0])).tolist()
    assert [f"{loss:.4g}" for loss in losses] == ["0.6931", "0.3133", "1000", "4.248e-18"]
    assert all(number in prose for number in ("0.6931", "0.3133", "4.248 \\cdot 10^{-18}"))
    before, after = tensor([[-2, -5], [-1, -3]]), tensor([[-1, -5], [-2, -3]])
    assert math.isclose(float(names["dpo_loss"](*before, *before, 0.5)), math.log(2), rel_tol=1e-15)
    assert f"{float(names['dpo_loss'](*after, *before, 0.5)):.4f}" == "0.5032"
    assert "(0.3133 + 0.6931) / 2 = 0.5032" in prose


def test_the_base_model_knows_french_and_learns_english_from_twenty_sentences(names: Any, prose: str) -> None:
    surprise = names["surprise"]
    base = names["FEATURES"] @ names["HEAD"].T
    french, english = (surprise(base, names[text]) for text in ("TEST_FRENCH", "TEST_ENGLISH"))
    assert f"{french:.1f} bits" in prose
    assert 5.5 < english < 6
    assert len(names["ALPHABET"]) == 37
    assert "37" in prose
    assert re.search(r"environ 4\.3 et 3\.6|about 4\.3 and 3\.6", prose)
    for text, said in (("TEST_ENGLISH", 4.3), ("TEST_FRENCH", 3.6)):  # of rank 4, the last one that the notebook trains
        assert surprise(names["adapted"], names[text]) == pytest.approx(said, abs=0.1)  # what another A moves it by
    features, head = names["train_base"](names["FRENCH"][:300])
    assert torch.equal(features, names["FEATURES"])
    assert torch.equal(head, names["HEAD"])
