"""Kits: what is in them, in what form, and when none is written."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from typer.testing import CliRunner

from harness import cli
from harness.errors import ConfigurationError, UsageError
from harness.release import release


def read(folder: Path) -> Any:
    return json.loads((folder / "doubling.ipynb").read_text(encoding="utf-8"))


def sources(folder: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in read(folder)["cells"]]


def test_a_kit_is_the_notebook_in_one_language_the_data_and_a_readme(make: Any, tmp_path: Path) -> None:
    french, english = (release(make(), tmp_path / "kits", language) for language in ("fr", "en"))
    for folder in (french, english):
        assert {path.name for path in folder.iterdir()} == {"doubling.ipynb", "numbers.txt", "README.md"}
        assert (folder / "numbers.txt").read_bytes() == b"1 2 3\n"
    assert french == tmp_path / "kits" / "doubling-fr"
    assert sources(french)[0] == "# Doubler\u00a0: l’entier"
    assert sources(english)[0] == "# Doubling: the integer"
    assert [cell["id"] for cell in read(french)["cells"]] == ["title-fr", "imports", "double", "try"]
    assert sources(english)[2].startswith('def double(x):\n    """Takes: x: an integer')


def test_the_notebook_is_valid_and_holds_nothing_of_a_run_or_an_editor(make: Any, tmp_path: Path) -> None:
    folder = release(make(), tmp_path, "fr")
    notebook = read(folder)
    nbformat.validate(notebook)
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert (cell.get("outputs", []), cell.get("execution_count")) == ([], None)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    for path in (*folder.iterdir(), tmp_path / "doubling-fr.zip"):
        for secret in (b"MARGIN-NOTE", b"PRINTED-ANSWER", b"SECRET_FACTOR", b"concealed", "caché".encode(), b"2 4 6"):
            assert secret not in path.read_bytes()


def test_the_zip_holds_the_folder(make: Any, tmp_path: Path) -> None:
    folder = release(make(), tmp_path, "en")
    with zipfile.ZipFile(tmp_path / "doubling-en.zip") as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert held == {f"doubling-en/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_the_same_assignment_gives_the_same_bytes(make: Any, tmp_path: Path) -> None:
    for name in ("one", "other"):
        release(make(), tmp_path / name, "fr")
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "one")).read_bytes()


def test_a_kit_is_written_over_itself_and_over_nothing_else(make: Any, tmp_path: Path) -> None:
    folder = release(make(), tmp_path, "fr")
    assert release(make(), tmp_path, "fr") == folder
    (folder / "doubling.ipynb").write_text("somebody's work")
    with pytest.raises(UsageError, match="something else"):
        release(make(), tmp_path, "fr")
    assert (folder / "doubling.ipynb").read_text() == "somebody's work"
    shutil.rmtree(folder)
    folder.mkdir()
    assert read(release(make(), tmp_path, "fr"))
    (folder / "notes").mkdir()
    with pytest.raises(UsageError, match="something else"):
        release(make(), tmp_path, "fr")


def test_neither_is_a_zip_replaced_by_another(make: Any, tmp_path: Path) -> None:
    (tmp_path / "doubling-fr.zip").write_bytes(b"mine")
    with pytest.raises(UsageError, match="something else"):
        release(make(), tmp_path, "fr")
    assert [path.name for path in tmp_path.iterdir() if path.name != "course"] == ["doubling-fr.zip"]


def test_a_place_that_cannot_be_used_is_named(make: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="kits cannot be used"):
        release(make(), tmp_path / "file" / "kits", "fr")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"double": "SECRET_FACTOR = 2\n\n\ndef double(x):\n    return 2 * x", "try": "print(SECRET_FACTOR)"},
            ["'try'", "'SECRET_FACTOR'"],
        ),
        (
            {"double": "def double(x, by=SECRET_FACTOR):\n    return x\n\n\nSECRET_FACTOR = 2"},
            ["'double'", "'SECRET_FACTOR'"],
        ),
        ({"double": "def twice(x):\n    return 2 * x"}, ["no solution cell defines 'double'"]),
        ({"double": "double = lambda x: 2 * x"}, ["no solution cell defines 'double'"]),
        ({"double": "def double(x:\n    return"}, ["'double', line 1"]),
        ({"try": "def double(x):\n    return 2 * x"}, ["double"]),
        ({"try": "import pandas"}, ["pandas"]),
        ({"try": "double(2"}, ["cell 2", "Syntax error"]),
    ],
)
def test_a_notebook_that_students_could_not_work_with_is_refused(
    make: Any, new_cell: Any, tmp_path: Path, change: dict[str, str], words: list[str]
) -> None:
    parts = {"imports": "import math", "double": "def double(x):\n    return 2 * x", "try": "print(double(2))"} | change
    cells = [new_cell("code", name, text, *(["solution"] if name == "double" else [])) for name, text in parts.items()]
    with pytest.raises(ConfigurationError) as caught:
        release(make(cells), tmp_path / "kits", "en")
    for word in ("source.ipynb", *words):
        assert word in str(caught.value)
    assert not (tmp_path / "kits").exists()


def test_a_constant_that_stands_in_a_cell_of_its_own_may_be_used(make: Any, new_cell: Any, tmp_path: Path) -> None:
    solution = "FACTOR = 2\n\n\ndef double(x, by=FACTOR):\n    return by * x"
    cells = [new_cell("code", "given", "FACTOR = 2"), new_cell("code", "double", solution, "solution")]
    assert sources(release(make(cells), tmp_path, "en"))[0] == "FACTOR = 2"


@pytest.mark.parametrize(
    ("tags", "kind", "words"),
    [
        (["soluton"], "code", "tag 'soluton'"),
        (["fr", "teacher"], "markdown", "tag 'teacher'"),
        ([], "raw", "kind 'raw'"),
        ([], "code", "defines 'double' without the tag solution"),
    ],
)
def test_a_cell_that_nobody_knows_what_to_do_with_is_refused(
    make: Any, new_cell: Any, tmp_path: Path, tags: list[str], kind: str, words: str
) -> None:
    cells = [new_cell(kind, "odd", "def double(x):\n    return 2 * x", *tags)]
    with pytest.raises(ConfigurationError, match=words):
        release(make(cells), tmp_path / "kits", "fr")
    assert not (tmp_path / "kits").exists()


@pytest.mark.parametrize("text", ["{", '{"cells": 3}', '{"cells": [{"cell_type": "code"}], "nbformat": 4}'])
def test_what_is_no_notebook_is_said(make: Any, tmp_path: Path, text: str) -> None:
    assignment = make()
    (assignment.folder / "source.ipynb").write_text(text)
    with pytest.raises(ConfigurationError, match=r"source\.ipynb is not a notebook"):
        release(assignment, tmp_path / "kits", "fr")


@pytest.mark.parametrize("old", [{"worksheets": [], "nbformat": 3}, {"cells": [], "nbformat": 4, "nbformat_minor": 4}])
def test_a_notebook_of_an_older_format_is_refused(make: Any, tmp_path: Path, old: dict[str, Any]) -> None:
    assignment = make()
    text = json.dumps({"metadata": {}, "nbformat_minor": 0} | old)
    (assignment.folder / "source.ipynb").write_text(text)
    with pytest.raises(ConfigurationError, match=r"source\.ipynb is of format"):
        release(assignment, tmp_path / "kits", "fr")


def test_a_missing_notebook_is_said(make: Any, tmp_path: Path) -> None:
    assignment = make()
    (assignment.folder / "source.ipynb").unlink()
    with pytest.raises(ConfigurationError, match=r"source\.ipynb is missing"):
        release(assignment, tmp_path / "kits", "fr")


@pytest.mark.parametrize("student", ["data/answers.txt", "README.md"])
def test_hidden_data_and_names_that_are_taken_are_refused(make: Any, tmp_path: Path, student: str) -> None:
    (tmp_path / "course" / "doubling").mkdir(parents=True)
    (tmp_path / "course" / "doubling" / "README.md").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"data\.student"):
        release(make(toml=("data/numbers.txt", student)), tmp_path / "kits", "fr")


def test_the_command_says_where_the_kit_is(make: Any, tmp_path: Path) -> None:
    course = make().folder.parent
    line = ["release", "doubling", "--out", str(tmp_path / "kits"), "--course", str(course)]
    done = CliRunner().invoke(cli.app, line)
    assert (done.exit_code, done.output.strip()) == (0, str(tmp_path / "kits" / "doubling-fr"))  # the course's language
    english = CliRunner().invoke(cli.app, [*line, "--lang", "en"])
    assert english.output.strip() == str(tmp_path / "kits" / "doubling-en")
