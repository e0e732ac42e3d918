"""What every bundled assignment must have: a declaration, checks and a notebook that agree, in both languages."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest

from harness import checks
from harness.course import Assignment, Course
from harness.records import Text, Visibility

BREAKING = "\u0020"  # in French, a no-break space stands before : ; ? ! » and after «


def texts(assignment: Assignment) -> Iterator[Text]:
    """Every sentence of assignment.toml and checks.py that has both languages."""
    file = assignment.file
    yield from (file.title, file.description)
    for entry in file.entry_points:
        yield from (entry.takes, entry.returns)
    yield from (spec.title for spec in checks.collect(assignment.checks))


def cells(notebook: Any, tag: str) -> list[str]:
    return [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_points_add_up_and_half_of_them_are_public(assignment: Assignment) -> None:
    specs = checks.collect(assignment.checks)
    checks.verify(specs, points=assignment.file.points, path=assignment.checks)
    public = sum(spec.points for spec in specs if spec.visibility is Visibility.PUBLIC)
    assert public == assignment.file.points / 2
    assert len(specs) >= 8


def test_every_text_has_two_languages_and_french_typography(assignment: Assignment) -> None:
    for text in texts(assignment):
        assert text.fr.strip()
        assert text.en.strip()
        assert not re.search(f"{BREAKING}[:;?!»]|«{BREAKING}", text.fr), text.fr


def test_checks_import_nothing_of_the_oracle(assignment: Assignment) -> None:
    tree = ast.parse(assignment.checks.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    allowed = {"harness", "hypothesis", "itertools", "json", "numpy", "pathlib", "torch"}
    assert {name.partition(".")[0] for name in modules} <= allowed
    ours = {name for name in modules if name.startswith("harness") and not name.startswith("harness.metrics.")}
    assert ours == {"harness.checks"}


def test_the_notebook_is_valid_and_clean(assignment: Assignment, notebook: Any) -> None:
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert max(Counter(cell.id for cell in notebook.cells).values()) == 1
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_prose_comes_in_pairs_with_the_same_formulas_and_headings(notebook: Any) -> None:
    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(prose) % 2 == 0
    for french, english in zip(prose[::2], prose[1::2], strict=True):
        assert (french.metadata.tags, english.metadata.tags) == (["fr"], ["en"])
        for shared in (r"^#+(?= )", r"^`\w+\(.*\)`$", r"^\| \w \|", r"^- \*\*"):
            found = [re.findall(shared, cell.source, flags=re.MULTILINE) for cell in (french, english)]
            assert found[0] == found[1], french.id
        assert french.source.count("$$") == english.source.count("$$")


def test_french_prose_keeps_its_punctuation_with_the_word_before(notebook: Any) -> None:
    for source in cells(notebook, "fr"):
        words = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$", "", source, flags=re.DOTALL)
        assert not re.search(f"{BREAKING}[:;?!»](?!-)|«{BREAKING}", words), words


def test_there_is_one_solution_cell_for_each_entry_point_and_the_statement_shows_its_signature(
    assignment: Assignment, notebook: Any
) -> None:
    entries = assignment.file.entry_points
    defined = [ast.parse(source).body for source in cells(notebook, "solution")]
    assert [[node.name for node in body if isinstance(node, ast.FunctionDef)] for body in defined] == [
        [entry.name] for entry in entries
    ]
    for language in ("fr", "en"):
        prose = "\n".join(cells(notebook, language))
        for entry in entries:
            assert f"\n`{entry.signature}`\n" in prose


def test_signatures_are_those_of_the_model_answer(assignment: Assignment, notebook: Any) -> None:
    for entry, source in zip(assignment.file.entry_points, cells(notebook, "solution"), strict=True):
        function = ast.parse(source).body[0]
        assert isinstance(function, ast.FunctionDef)
        assert entry.signature == f"{entry.name}({ast.unparse(function.args)})"


def test_the_notebook_defines_every_entry_point(assignment: Assignment, solve: Callable[..., dict[str, Any]]) -> None:
    names = solve(assignment)
    assert all(callable(names[entry.name]) for entry in assignment.file.entry_points)


def test_nothing_of_the_solution_uses_what_is_forbidden(assignment: Assignment, notebook: Any) -> None:
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    for name in assignment.file.policy.forbidden:
        assert not re.search(rf"\b{re.escape(name)}\b", source)


def test_first_names_are_all_different_and_use_the_whole_alphabet(course: Course) -> None:
    text = (course.assignment("ngram").folder / "data" / "prenoms.txt").read_text(encoding="utf-8")
    names = text.removesuffix("\n").split("\n")
    assert len(names) == len(set(names)) == 1400  # the statement says so
    assert set("".join(names)) == set("abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü")
    assert all(0 < len(name) <= 30 for name in names)


@pytest.mark.parametrize(("slug", "oracle"), [("ngram", "first_names"), ("attention", "attention")])
def test_each_assignment_is_in_the_bundled_course(course: Course, slug: str, oracle: str) -> None:
    assert course.assignment(slug).file.oracle == f"reference.{oracle}"
