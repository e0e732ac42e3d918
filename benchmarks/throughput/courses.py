"""The same assignment as a course of bareme, of nbgrader and of Otter-Grader, with the submissions where each looks."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from benchmarks.throughput.cohort import Student, notebook, solution
from benchmarks.throughput.questions import QUESTIONS, Question

ASSIGNMENT = "torchlets"
ORACLE = "throughput_oracle"
COURSE = """\
slug = "throughput"
language = "en"

[title]
fr = "Débit"
en = "Throughput"
"""
HEAD = f"""\
slug = "{ASSIGNMENT}"
oracle = "{ORACLE}"
points = {len(QUESTIONS)}

[title]
fr = "Cinq fonctions"
en = "Five functions"

[description]
fr = "Cinq petites fonctions de torch."
en = "Five small torch functions."

[policy]
packages = ["numpy", "torch"]
"""
ENTRY_POINT = """
[[entry_points]]
name = "{name}"
signature = "{name}({arguments})"
takes = {{ fr = "des tenseurs", en = "tensors" }}
returns = {{ fr = "un tenseur", en = "a tensor" }}
"""
CHECK = """

@check(points=1, fr="{name}", en="{name}")
def test_{name}(submission, oracle, compare, torch_rng):
    rng = torch_rng
    {draw}
    compare(submission.{call}, oracle.{call})
"""
ORACLE_FUNCTION = """

def {name}({arguments}):
    return {answer}
"""
OTTER_TEST = """\
import torch
from otter.test_files import test_case

OK_FORMAT = False
name = "{name}"
points = 1


@test_case(points=1)
def test_{name}({name}):
{test}
"""


def write_bareme(folder: Path, students: Sequence[Student]) -> None:
    """`folder`/course, with an oracle of its own, and `folder`/submissions."""
    course, assignment = folder / "course", folder / "course" / ASSIGNMENT
    assignment.mkdir(parents=True)
    (course / "course.toml").write_text(COURSE, encoding="utf-8")
    (course / f"{ORACLE}.py").write_text("import torch\n" + _each(ORACLE_FUNCTION), encoding="utf-8")
    (assignment / "assignment.toml").write_text(HEAD + _each(ENTRY_POINT), encoding="utf-8")
    checks = "import torch\n\nfrom harness.checks import check\n" + _each(CHECK)
    (assignment / "checks.py").write_text(checks, encoding="utf-8")
    source = notebook(solution().cells)
    for cell in source.cells:
        cell.metadata["tags"] = ["solution"]
    nbformat.write(source, assignment / "source.ipynb")
    for student in students:
        _write(notebook(student.cells), folder / "submissions" / student.name / f"{ASSIGNMENT}.ipynb")


def write_nbgrader(folder: Path, students: Sequence[Student]) -> None:
    """A course folder: source and submitted notebooks, three cells to write and five with a test each."""
    _write(_with_tests(solution()), folder / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    for student in students:
        _write(_with_tests(student), folder / "submitted" / student.name / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")


def write_otter(folder: Path, students: Sequence[Student]) -> None:
    """Tests as files, one a question, for `otter generate`, and the notebooks."""
    (folder / "tests").mkdir()
    for question in QUESTIONS:
        text = OTTER_TEST.format(name=question.name, test=textwrap.indent(question.test(), "    "))
        (folder / "tests" / f"{question.name}.py").write_text(text, encoding="utf-8")
    for student in students:
        _write(notebook(student.cells), folder / "submissions" / f"{student.name}.ipynb")
        (folder / "results" / student.name).mkdir(parents=True)


def _each(template: str) -> str:
    return "".join(template.format(call=question.call, **vars(question)) for question in QUESTIONS)


def _with_tests(student: Student) -> NotebookNode:
    made = notebook(student.cells)
    for place, cell in enumerate(made.cells):
        cell.metadata["nbgrader"] = _nbgrader(f"part-{place}", solution=True)
    made.cells += [_test_cell(question) for question in QUESTIONS]
    return made


def _test_cell(question: Question) -> NotebookNode:
    cell = nbformat.v4.new_code_cell(question.test(), id=f"test-{question.name.replace('_', '-')}")
    cell.metadata["nbgrader"] = {**_nbgrader(question.name, solution=False), "points": 1}
    return cell


def _nbgrader(grade_id: str, *, solution: bool) -> dict[str, object]:
    roles = {"solution": solution, "grade": not solution, "locked": not solution, "task": False}
    return {"schema_version": 3, "grade_id": grade_id, **roles}


def _write(made: NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
