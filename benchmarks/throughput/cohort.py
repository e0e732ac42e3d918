"""The cohort that every tool marks: three-cell torch notebooks, each written a little differently, some with a mistake.

The same number gives the same notebook on every machine. Mistakes are wrong answers, one question each. Not covered:
notebooks that raise, hang or die, of which every tool makes something else.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from benchmarks.throughput.questions import QUESTIONS

WRONG_EVERY = 6  # one student in so many has one mistake, each question in turn

START = """\
import math

import torch

torch.manual_seed({seed})
WIDTH = {width}
"""
FIRST_HALF = """\
def softmax({x}):
    {shifted} = {x} - {x}.max(dim={softmax_dim}, keepdim=True).values
    {weights} = torch.exp({shifted})
    return {weights} / {weights}.sum(dim={softmax_dim}, keepdim=True)


def layer_norm({x}):
    mean = {x}.mean(dim=-1, keepdim=True)
    {spread} = {x}.var(dim=-1, keepdim=True, unbiased={unbiased})
    return ({x} - mean) / torch.sqrt({spread} + 1e-5)


{x} = layer_norm(torch.randn({rows}, WIDTH))
print("rows", tuple(softmax({x}).shape))
"""
SECOND_HALF = """\
def attention({q}, {k}, {v}):
    {weights} = {q} @ {k}.transpose(-2, -1){scaled}
    return torch.softmax({weights}, dim=-1) @ {v}


def cross_entropy(logits, targets):
    {picked} = torch.log_softmax(logits, dim=-1)[torch.arange(len(targets)), targets]
    return -{picked}.{reduce}()


def top_k(logits, k):
    return torch.argsort(logits, descending={descending})[:k]


{x} = attention({x}, {x}, {x})
{losses} = [float(cross_entropy({x} * scale, torch.zeros({rows}, dtype=torch.long))) for scale in range(1, {scales})]
print("done", len({losses}), top_k({x}[0], 3).tolist())
"""
RIGHT: Mapping[str, str] = {
    "softmax_dim": "-1",
    "unbiased": "False",
    "scaled": " / math.sqrt({q}.shape[-1])",
    "reduce": "mean",
    "descending": "True",
}
MISTAKES: Mapping[str, Mapping[str, str]] = {  # to each question what a beginner writes
    "softmax": {"softmax_dim": "0"},
    "layer_norm": {"unbiased": "True"},
    "attention": {"scaled": ""},
    "cross_entropy": {"reduce": "sum"},
    "top_k": {"descending": "False"},
}
NAMES: Mapping[str, tuple[str, ...]] = {
    "x": ("x", "inputs", "rows_in", "h"),
    "shifted": ("shifted", "z", "safe"),
    "weights": ("weights", "e", "unnormalised"),
    "spread": ("variance", "var", "spread"),
    "q": ("q", "queries"),
    "k": ("k", "keys"),
    "v": ("v", "values"),
    "picked": ("picked", "log_p", "gold"),
    "losses": ("losses", "history"),
}


@dataclass(frozen=True)
class Student:
    """One submission: the sources of its three cells, and the question that it answers wrongly."""

    name: str
    cells: tuple[str, str, str]
    wrong: str | None

    @property
    def points(self) -> dict[str, float]:
        """What each question is worth to this student: 1 or 0."""
        return {question.name: float(question.name != self.wrong) for question in QUESTIONS}


def students(number: int) -> list[Student]:
    """The first `number` students of the cohort."""
    return [_student(index) for index in range(number)]


def _student(index: int) -> Student:
    rng = random.Random(index)  # of its own: a larger cohort begins with the smaller one
    turn, place = divmod(index, WRONG_EVERY)
    wrong = QUESTIONS[turn % len(QUESTIONS)].name if place == WRONG_EVERY - 1 else None
    names = {role: rng.choice(choices) for role, choices in NAMES.items()}
    numbers = {
        "seed": index,
        "width": rng.choice((16, 24, 32)),
        "rows": rng.randint(8, 16),
        "scales": rng.randint(4, 9),
    }
    rules = {**RIGHT, **(MISTAKES[wrong] if wrong else {})}
    words = {**names, **numbers, **{rule: text.format(**names) for rule, text in rules.items()}}
    first, second, third = (cell.format(**words) for cell in (START, FIRST_HALF, SECOND_HALF))
    return Student(f"student-{index:03}", (first, second, third), wrong)


def solution() -> Student:
    """What the course's author wrote, all of it right."""
    return _student(0)


def notebook(cells: tuple[str, ...]) -> NotebookNode:
    """A notebook of code cells, as Jupyter would save it, not yet run."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.rstrip("\n"), id=f"cell-{place}") for place, source in enumerate(cells)]
    )
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made
