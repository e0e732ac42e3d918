"""What goes wrong around a run: one clear line with the thing and the remedy, the right code, nothing half-written."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.cli import bundled_course
from harness.sandbox.bubblewrap import find_bubblewrap

pytestmark = pytest.mark.slow
FORBIDDING = """#!/bin/sh
[ "$1" = --version ] && echo "bubblewrap 0.11.0" && exit 0
echo "bwrap: setting up uid map: Permission denied" >&2
exit 1
"""


def _one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bareme: ")
    for word in words:
        assert word in lines[0]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of the bundled course, to break."""
    return Path(shutil.copytree(bundled_course().folder, tmp_path / "course", ignore=shutil.ignore_patterns("cohort")))


@pytest.fixture
def one(bareme: Any, tmp_path: Path) -> Path:
    """A folder with one submission."""
    return bareme.few("ngram", ["student-01"], tmp_path / "one")


def test_an_assignment_that_is_not_there(bareme: Any, one: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _one_line(bareme("grade", "nagram", one, "--out", out), 2, "'nagram'", "attention, finetuning, ngram")
    assert not out.exists()


def test_submissions_that_are_not_there(bareme: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _one_line(bareme("grade", "ngram", tmp_path / "nowhere", "--out", out), 2, "nowhere")
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("points = 20", 'points = "twenty"', ["points", "twenty"]),
        ("points = 20", "points = 20\ncolour = 3", ["colour"]),
        ("points = 20", "points = 19", ["19", "20"]),
        ("points = 20", "points = = 20", ["TOML"]),
        ("wall_s = 120.0", "wall_s = -1.0", ["limits.wall_s", "-1.0"]),
        ('oracle = "reference.first_names"', 'oracle = "reference.nothing"', ["reference.nothing"]),
    ],
)
def test_a_broken_assignment_file(
    bareme: Any, course: Path, one: Path, tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    path = course / "ngram" / "assignment.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    out = tmp_path / "out"
    _one_line(bareme("grade", "ngram", one, "--out", out, "--course", course), 2, "assignment.toml", *words)
    assert not out.exists()


def test_broken_checks(bareme: Any, course: Path, one: Path, tmp_path: Path) -> None:
    (course / "ngram" / "checks.py").write_text("def test_(:\n", encoding="utf-8")
    _one_line(bareme("grade", "ngram", one, "--out", tmp_path / "out", "--course", course), 2, "checks.py")
    assert not (tmp_path / "out").exists()


def test_a_notebook_that_is_none_is_marked_as_such_and_stops_nobody(bareme: Any, one: Path, tmp_path: Path) -> None:
    (one / "student-02").mkdir()
    (one / "student-02" / "ngram.ipynb").write_bytes(b"PK\x03\x04 not a notebook")
    done = bareme("grade", "ngram", one, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {item["student"]: item["status"] for item in bareme.results(tmp_path / "out")["submissions"]} == {
        "student-01": "marked",
        "student-02": "unreadable",
    }
    assert "student-02/ngram.ipynb" in done.stderr


def test_a_self_check_of_what_is_no_notebook(bareme: Any, tmp_path: Path) -> None:
    path = tmp_path / "ngram.ipynb"
    path.write_text("{", encoding="utf-8")
    _one_line(bareme("check", path, "ngram", "--lang", "en"), 2, "ngram.ipynb", "Jupyter")


def test_no_sandbox(bareme: Any, one: Path, tmp_path: Path) -> None:
    """A system that forbids user namespaces: said so with what to change, and never marked without."""
    forbidding = tmp_path / "bin" / "bwrap"
    forbidding.parent.mkdir()
    forbidding.write_text(FORBIDDING, encoding="utf-8")
    forbidding.chmod(0o755)
    path = f"{forbidding.parent}:{os.environ['PATH']}"
    done = bareme("grade", "ngram", one, "--out", tmp_path / "out", PATH=path)
    _one_line(done, 3, "uid map: Permission denied", "namespaces")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size_bytes", [4096, 65_536, 200_000])
def test_a_full_disk(bareme: Any, one: Path, tmp_path: Path, size_bytes: int) -> None:
    """The command and a look at what it left, on a file system of so many bytes."""
    out = tmp_path / "small"
    out.mkdir()
    script = 'mounted="$1"; shift; "$@"; code=$?; find "$mounted" -name "*.tmp" -o -name ".*.json.*"; exit $code'
    line = ["sh", "-c", script, "sh", str(out), *bareme.line("grade", "ngram", one, "--out", out)]
    if os.geteuid() == 0:  # bubblewrap would take capabilities that marking as root needs
        mount = f"mount -t tmpfs -o size={size_bytes} none {shlex.quote(str(out))}"
        line = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", *line]
    else:
        small = ["--dev-bind", "/", "/", "--size", str(size_bytes), "--tmpfs", str(out)]
        line = [str(find_bubblewrap()), *small, "--", *line]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert str(out) in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_two_runs_in_one_folder(bareme: Any, one: Path, tmp_path: Path) -> None:
    from harness.cohort import claimed

    with claimed(tmp_path / "out"):
        _one_line(bareme("grade", "ngram", one, "--out", tmp_path / "out"), 2, "another run is busy")


def test_nothing_to_resume(bareme: Any, one: Path, tmp_path: Path) -> None:
    _one_line(bareme("grade", "ngram", one, "--out", tmp_path / "out", "--resume"), 2, "--resume")
