"""What the statement says is what the model answer does: the worked examples of each section, and the given model."""

import math
import re
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from reference import sampling

LANGUAGES = ("fr", "en")


@pytest.fixture
def names(course: Any, solve: Any) -> dict[str, Any]:
    return solve(course.assignment("sampling"))


@pytest.fixture(params=LANGUAGES)
def examples(course: Any, request: pytest.FixtureRequest) -> str:
    """The paragraphs that work an example, in one language, with decimal points."""
    path = course.assignment("sampling").folder / "source.ipynb"
    cells = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4).cells  # type: ignore[no-untyped-call]
    prose = "\n".join(cell.source for cell in cells if request.param in cell.metadata.get("tags", []))
    paragraphs = [line for line in prose.splitlines() if line.startswith("*Ex")]
    assert len(paragraphs) == 11
    return re.sub(r"(?<=\d),(?=\d)", ".", "\n".join(paragraphs))


def close(found: Any, expected: list[float]) -> bool:
    return np.allclose(found, expected, rtol=1e-12, atol=0.0)


def test_greedy_and_temperature(names: Any, examples: str) -> None:
    assert "`[0, 2, 2, -inf]`" in examples
    assert names["greedy"](np.array([0, 2, 2, -np.inf])) == 1
    probabilities = names["token_probabilities"]
    logits = np.array([0, math.log(2), 0])
    assert "`[1/4, 1/2, 1/4]`" in examples
    assert close(probabilities(logits), [1 / 4, 1 / 2, 1 / 4])
    assert "`[1/6, 2/3, 1/6]`" in examples
    assert close(probabilities(logits, 0.5), [1 / 6, 2 / 3, 1 / 6])
    assert close(probabilities(logits, 0), [0, 1, 0])
    assert close(probabilities(np.array([7.0, 7.0]), 0.001), [1 / 2, 1 / 2])
    assert close(probabilities(np.array([7.0, 7.0]), 0), [1, 0])


def test_truncation(names: Any, examples: str) -> None:
    assert "`[1/3, 2/3, 0]`" in examples
    assert close(names["top_k"](np.array([0.25, 0.5, 0.25]), 2), [1 / 3, 2 / 3, 0])
    row = np.array([1 / 8, 1 / 2, 1 / 4, 1 / 8])
    assert "`[1/8, 1/2, 1/4, 1/8]`" in examples
    assert "`[0, 2/3, 1/3, 0]`" in examples
    assert "`[1/7, 4/7, 2/7, 0]`" in examples
    two, three = [0, 2 / 3, 1 / 3, 0], [1 / 7, 4 / 7, 2 / 7, 0]
    for p, expected in ((0.5, [0, 1, 0, 0]), (0.6, two), (0.75, two), (0.8, three)):
        assert f"p = {p}" in examples
        assert close(names["top_p"](row, p), expected)


def test_penalty_and_order(names: Any, examples: str) -> None:
    assert "`[1, -2, 3, 0]`" in examples
    penalised = names["repetition_penalty"](np.array([2.0, -1.0, 3.0, 0.0]), [1, 0, 0], 2)
    assert penalised.tolist() == [1, -2, 3, 0]
    logits = np.array([0, math.log(2), math.log(9)])
    settings: dict[str, Any] = {"temperature": 0.5, "penalty": 2}
    assert "`[1/14, 4/14, 9/14]`" in examples
    assert close(names["next_distribution"](logits, [2], **settings), [1 / 14, 4 / 14, 9 / 14])
    assert "`[0, 4/13, 9/13]`" in examples
    assert close(names["next_distribution"](logits, [2], k=2, **settings), [0, 4 / 13, 9 / 13])
    assert close(names["next_distribution"](logits, [2], k=2, p=0.65, **settings), [0, 0, 1])
    assert 9 / 14 < 0.65 < 9 / 13  # the order of the two decides


def test_draws_and_texts(names: Any, examples: str) -> None:
    assert "`[0, 1/2, 1/4, 1/4]`" in examples
    assert [names["draw"](np.array([0, 0.5, 0.25, 0.25]), u) for u in (0, 0.49, 0.5, 0.8)] == [1, 1, 2, 3]
    circle = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert "`[0, 1, 2, 0]`" in examples
    assert names["generate"](circle, [2], 4, {"temperature": 0}, [], 3) == [0, 1, 2, 0]
    assert names["generate"](circle, [2], 4, {"temperature": 0}, [2], 3) == [0, 1, 2]
    pieces = ["do ", "mi s", "ol la", " do"]
    assert '`["do ", "mi s", "ol la", " do"]`' in examples
    assert '`("do mi ", 3)`' in examples
    assert names["text_until_stop"](pieces, ["sol"]) == ("do mi ", 3)
    assert names["text_until_stop"](pieces, ["la", "sol"]) == ("do mi ", 3)


def test_beams(names: Any, examples: str) -> None:
    assert "`[([1, 2], ln(0.36) / 2), ([0, 0], ln(0.25) / 2)]`" in examples
    logits = np.array(
        [[math.log(0.5), math.log(0.4), math.log(0.1)], [-np.inf, math.log(0.1), math.log(0.9)], [0, 0, 0]]
    )
    (best, score), (second, lower) = names["beam_search"](logits, [0], 2, 2, None, 1)
    assert (best, second) == ([1, 2], [0, 0])
    assert close([score, lower], [math.log(0.36) / 2, math.log(0.25) / 2])


def test_the_cached_text_is_the_one_that_is_read_again(names: Any, examples: str) -> None:
    assert "`[1, 0, 1, 0]`" in examples
    turns = {"embedding": np.array([[1.0], [-1.0]]), "recurrence": np.zeros((1, 1)), "output": np.array([[-1.0, 1.0]])}
    assert names["generate_cached"](turns, [0], 4) == [1, 0, 1, 0]
    rng = np.random.default_rng(2)
    for width in (1, 4, 7):
        shapes = {"embedding": (9, width), "recurrence": (width, width), "output": (width, 9)}
        weights = {name: rng.normal(size=shape) / 2 for name, shape in shapes.items()}
        assert names["generate_cached"](weights, [3, 1], 20) == names["generate_slow"](weights, [3, 1], 20)


def test_masses_that_meet_the_threshold_exactly_are_the_oracles_rule_too() -> None:
    """The checks ask the oracle half a gap below p; where its sums are exact it says the same at p itself."""
    for kept in range(1, 9):
        uniform = torch.zeros(8, dtype=torch.float64)
        for p in (kept / 8, kept / 8 - 1 / 64):
            assert int((sampling.top_p(uniform, p) > -torch.inf).sum()) == kept
