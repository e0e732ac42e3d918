"""A small course whose assignment has something of everything, to release and to break."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.course import Assignment, load_course

CHECKS = """from harness.checks import check


@check(points=1, fr="Doubler\u00a0: un", en="Double: one")
def test_double(submission, compare):
    compare(submission.double(2), 4)


@check(points=1.5, fr="Le cas caché", en="The concealed case", visibility="hidden")
def test_double_zero(submission, compare):
    compare(submission.double(0), 0)
"""
TOML = """slug = "doubling"
oracle = "math"
points = 2.5
title = { fr = "Doubler", en = "Doubling" }
description = { fr = "Doubler l'entier.", en = "Double the integer." }

[data]
student = ["data/numbers.txt"]
hidden = ["data/answers.txt"]

[[entry_points]]
name = "double"
signature = "double(x)"
takes = { fr = "x\u00a0: un entier", en = "x: an integer" }
returns = { fr = "un entier", en = "an integer" }
"""


def cell(kind: str, name: str, source: str, *tags: str) -> dict[str, Any]:
    made = {"cell_type": kind, "id": name, "metadata": {"tags": list(tags), "private": "MARGIN-NOTE"}, "source": source}
    return made | ({"execution_count": 7, "outputs": [OUTPUT]} if kind == "code" else {})


OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["PRINTED-ANSWER\n"]}
CELLS = [
    cell("markdown", "title-fr", "# Doubler : l'entier", "fr"),
    cell("markdown", "title-en", "# Doubling: the integer", "en"),
    cell("code", "imports", "import math"),
    cell("code", "double", "def double(x):\n    return SECRET_FACTOR * x\n\n\nSECRET_FACTOR = 2", "solution"),
    cell("code", "try", "print(double(2))"),
]
Make = Callable[..., Assignment]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write the course with `cells` and with pieces of its assignment.toml replaced; its assignment."""

    def make(cells: list[dict[str, Any]] = CELLS, *, toml: tuple[str, str] = ("", "")) -> Assignment:
        folder = tmp_path / "course" / "doubling"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        course = 'slug = "small"\ntitle = { fr = "Petit", en = "Small" }\n'
        (tmp_path / "course" / "course.toml").write_text(course, encoding="utf-8")
        assert toml[0] in TOML
        (folder / "assignment.toml").write_text(TOML.replace(*toml) if toml[0] else TOML, encoding="utf-8")
        (folder / "checks.py").write_text(CHECKS, encoding="utf-8")
        (folder / "data" / "numbers.txt").write_text("1 2 3\n", encoding="utf-8")
        (folder / "data" / "answers.txt").write_text("2 4 6\n", encoding="utf-8")
        metadata = {"authors": [{"name": "MARGIN-NOTE"}], "kernelspec": {"name": "python3", "display_name": "Mine"}}
        source = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (folder / "source.ipynb").write_text(json.dumps(source), encoding="utf-8")
        return load_course(tmp_path / "course").assignment("doubling")

    return make


@pytest.fixture
def new_cell() -> Callable[..., dict[str, Any]]:
    return cell
