"""Every student kit: no solution, hidden check or hidden data in any corner of it, and it can be worked with."""

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import nbformat
import pytest
from nbclient import NotebookClient

from harness.course import Assignment, Course
from harness.records import Language
from harness.release import release
from harness.release.stubs import TO_COMPLETE

TOKENS = 5  # a shorter line, such as `return x`, is nobody's secret
LITERAL = 8  # characters: shorter strings are words of the field
WINDOW = 40  # characters of a hidden file that stand in nothing else
DISTINCT = 8  # a window with fewer different characters is a ruler or a row of zeros
LIMIT_S = 300.0
VERBATIM = re.compile(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)\n]*\)", re.DOTALL)
# In a French kit, but for what is verbatim: spaces of the other width, plain ones, and straight apostrophes
UNTYPESET = re.compile(r"[ \u00a0][;!?%]|[ \u202f][:»]|«[ \u202f]|(?<=[^\W\d_])'(?=[*_]*\S)")
PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "’": "'"})


@dataclass(frozen=True)
class Kit:
    """A kit as it was written."""

    assignment: Assignment
    language: Language
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.zip")

    @property
    def notebook(self) -> Path:
        return self.folder / f"{self.assignment.slug}.ipynb"


@pytest.fixture(params=get_args(Language))
def kit(assignment: Assignment, request: pytest.FixtureRequest, tmp_path: Path) -> Kit:
    return Kit(assignment, request.param, release(assignment, tmp_path, request.param))


def plain(text: str) -> str:
    """Typography aside: what is said is what counts."""
    return text.translate(PLAIN)


def strings(value: Any) -> Iterator[str]:
    """Every string of a JSON value, keys included; lists of lines also as one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        for item in value:
            yield from strings(item)


def contents(kit: Kit) -> list[bytes]:
    """Each file, the zip as it lies on the disk, and each member of it."""
    with zipfile.ZipFile(kit.archive) as archive:
        members = [archive.read(name) for name in archive.namelist()]
    return [
        *(path.read_bytes() for path in kit.folder.rglob("*") if path.is_file()),
        kit.archive.read_bytes(),
        *members,
    ]


def texts(kit: Kit) -> list[str]:
    """All that can be read in a kit, as it lies on the disk and as a program reads it."""
    found = [content.decode("utf-8", errors="replace") for content in contents(kit)]
    found += strings(json.loads(kit.notebook.read_text(encoding="utf-8")))
    return [plain(text) for text in (*found, *map(str, kit.folder.rglob("*")))]


def leaks(kit: Kit, secrets: Iterable[str]) -> set[str]:
    everything = "\n".join(texts(kit))
    return {secret for secret in secrets if secret in everything}


def cells(notebook: Any, *, solution: bool) -> list[str]:
    return [cell.source for cell in notebook.cells if ("solution" in cell.metadata.get("tags", [])) is solution]


def given(assignment: Assignment, notebook: Any) -> str:
    """What the author says to students: cells without a solution, and assignment.toml."""
    return plain("\n".join([*cells(notebook, solution=False), assignment.path.read_text(encoding="utf-8")]))


def long_lines(source: str) -> set[str]:
    """The lines of some code that say something, headers of functions and classes aside: students are given those."""
    headers = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for line in range(node.lineno, node.body[0].lineno + (node.lineno == node.body[0].lineno))
    }
    lines = (plain(line.strip()) for i, line in enumerate(source.splitlines(), start=1) if i not in headers)
    return {line for line in lines if len(re.findall(r"\w+|[^\w\s]", line)) >= TOKENS}


def prose(kit: Kit) -> Iterator[str]:
    """What a kit says in words: the statement, contracts of entry points, the README."""
    yield (kit.folder / "README.md").read_text(encoding="utf-8")
    for cell in json.loads(kit.notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source
        elif TO_COMPLETE.in_language(kit.language) in source:
            functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
            yield from (ast.get_docstring(function) or "" for function in functions)


def hidden_checks(assignment: Assignment) -> Iterator[tuple[ast.FunctionDef, str]]:
    source = assignment.checks.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            decorators = "\n".join(ast.unparse(decorator) for decorator in node.decorator_list)
            if re.search(r"visibility='(hidden|after_due)'", decorators):
                yield node, ast.get_source_segment(source, node) or ""


def secrets_of_checks(assignment: Assignment) -> set[str]:
    """The titles, the literals and the lines of hidden checks."""
    found: set[str] = set()
    for function, source in hidden_checks(assignment):
        keywords = [word for call in function.decorator_list if isinstance(call, ast.Call) for word in call.keywords]
        found |= {ast.literal_eval(word.value) for word in keywords if word.arg in {"fr", "en"}}
        constants = (node.value for part in function.body for node in ast.walk(part) if isinstance(node, ast.Constant))
        found |= {value for value in constants if isinstance(value, str) and len(value) >= LITERAL}
        found |= long_lines(source)
    return {plain(text) for text in found}


def windows(text: str) -> Iterator[str]:
    for start in range(len(text) - WINDOW + 1):
        window = text[start : start + WINDOW]
        if len(set(window)) >= DISTINCT:
            yield window


def test_a_kit_is_the_notebook_the_readme_and_the_students_data(kit: Kit) -> None:
    data = {Path(name).name for name in kit.assignment.file.data.student}
    assert {path.name for path in kit.folder.rglob("*")} == {kit.notebook.name, "README.md"} | data
    with zipfile.ZipFile(kit.archive) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        assert not archive.comment + b"".join(info.comment + info.extra for info in archive.infolist())
    assert members == {f"{kit.folder.name}/{path.name}": path.read_bytes() for path in kit.folder.iterdir()}


def test_nothing_of_a_solution_is_in_a_kit(kit: Kit, notebook: Any) -> None:
    shared = given(kit.assignment, notebook)
    lines = {line for source in cells(notebook, solution=True) for line in long_lines(source) if line not in shared}
    assert len(lines) >= len(kit.assignment.file.entry_points)
    assert leaks(kit, lines) == set()


def test_nothing_of_hidden_checks_is_in_a_kit(kit: Kit, notebook: Any) -> None:
    shared = given(kit.assignment, notebook)
    secrets = {secret for secret in secrets_of_checks(kit.assignment) if secret not in shared}
    assert len(secrets) >= len(list(hidden_checks(kit.assignment)))
    assert leaks(kit, secrets) == set()


def test_nothing_of_hidden_data_is_in_a_kit(kit: Kit) -> None:
    """Data of both kinds may share turns of phrase, but no line; nothing else shares as much as a window."""
    file = kit.assignment.file
    data = "\n".join(plain((kit.assignment.folder / name).read_text(encoding="utf-8")) for name in file.data.student)
    names = {Path(name).name for name in file.data.student}
    others = [path for path in kit.folder.iterdir() if path.name not in names]
    said = [path.read_text(encoding="utf-8") for path in others]
    said += strings(json.loads(kit.notebook.read_text(encoding="utf-8")))
    held = {window for text in said for window in windows(plain(text))}
    for name in file.data.hidden:
        hidden = plain((kit.assignment.folder / name).read_text(encoding="utf-8"))
        assert held.isdisjoint(windows(hidden)), name
        assert [line for line in hidden.splitlines() if len(line) >= WINDOW and line in data] == [], name


def test_french_kits_keep_to_one_typography(kit: Kit) -> None:
    if kit.language == "fr":
        found = [re.findall(f".{{,30}}(?:{UNTYPESET.pattern})", VERBATIM.sub("`", text)) for text in prose(kit)]
        assert [place for places in found for place in places] == []
        assert len(found) > len(kit.assignment.file.entry_points)


@pytest.mark.parametrize("place", ["metadata", "a cell's metadata", "an output", "the README", "the zip", "a name"])
def test_the_search_finds_what_is_hidden_anywhere(course: Course, tmp_path: Path, place: str) -> None:
    secret = "probabilités d'un « secret » : 7"
    assignment = course.assignment("ngram")
    kit = Kit(assignment, "fr", release(assignment, tmp_path, "fr"))
    assert leaks(kit, [secret]) == set()
    notebook = json.loads(kit.notebook.read_text(encoding="utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    if place == "metadata":
        notebook["metadata"]["author"] = {"said": secret}
    elif place == "a cell's metadata":
        code["metadata"][secret] = True
    elif place == "an output":
        code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [secret[:9], secret[9:]]}]
    elif place == "the README":
        (kit.folder / "README.md").write_text(secret.replace(" :", "\u00a0:"), encoding="utf-8")
    elif place == "the zip":
        with zipfile.ZipFile(kit.archive, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("more.txt", f"{secret}\n" * 20)
    else:
        (kit.folder / secret).write_text("")
    kit.notebook.write_text(json.dumps(notebook), encoding="utf-8")
    assert leaks(kit, [secret]) == {secret}


@pytest.mark.slow
def test_the_notebook_of_a_kit_runs_up_to_what_is_to_be_completed(kit: Kit) -> None:
    notebook = nbformat.read(kit.notebook, as_version=4)  # type: ignore[no-untyped-call]
    place = {"metadata": {"path": str(kit.folder)}}
    NotebookClient(notebook, timeout=LIMIT_S, allow_errors=True, resources=place).execute()
    errors = [output for cell in notebook.cells for output in cell.get("outputs", ()) if output.output_type == "error"]
    assert (errors[0].ename, errors[0].evalue) == ("NotImplementedError", TO_COMPLETE.in_language(kit.language))
    assert {error.ename for error in errors} <= {
        "NotImplementedError",
        "NameError",
    }  # the second: what a cell had to make


@pytest.mark.slow
def test_an_untouched_kit_earns_nothing(assignment: Assignment, tmp_path: Path) -> None:
    for language in get_args(Language):
        folder = release(assignment, tmp_path / "kits", language)
        shutil.copytree(folder, tmp_path / "handed-in" / language)  # a student of that name
    line = ["grade", assignment.slug, tmp_path / "handed-in", "--out", tmp_path / "out", "--jobs", 2]
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, line)], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    submissions = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["submissions"]
    assert [(item["status"], item["score"]) for item in submissions] == [("marked", 0.0)] * 2
    outcomes = {check["status"] for item in submissions for check in item["checks"]}
    assert outcomes <= {"error", "failed", "skipped"}
