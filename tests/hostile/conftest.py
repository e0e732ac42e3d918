"""Hostile notebooks, each with what must become of it, marked together in one run by the command."""

import ctypes
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.gradebook import Gradebook
from harness.records import Graded

HERE = Path(__file__).parent
COURSE = HERE / "course"
NOTEBOOKS = {path.stem: path for path in sorted((HERE / "notebooks").glob("[0-9]*.py"))}
SEED = 4711471147114711
LIMIT_S = 900.0
BYSTANDERS = ("bystander-1", "bystander-2", "bystander-3")  # honest students, marked among the hostile ones
HONEST = "# %%\nfrom honest import *\n"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

collect_ignore = ["notebooks", "course"]


@dataclass(frozen=True)
class Marked:
    """One finished run of the command."""

    submissions: Path
    out: Path
    left_running: list[str]  # command lines of what outlived the command
    results: dict[str, Graded]


class Grader:
    """The command, in a process whose every descendant comes back to this one when it is orphaned."""

    def __init__(self, kernels: str) -> None:
        """Its `kernels` start cold or warm. Children of this process from other tests, and theirs, are none of ours."""
        self.kernels = kernels
        self.before = set(psutil.Process().children())

    @staticmethod
    def hand_in(where: Path, student: str, source: str, files: dict[str, str] | None = None) -> None:
        """One student's folder: the notebook, the honest module that it starts from, and `files`."""
        folder = where / student
        folder.mkdir(parents=True)
        (folder / "notebook.py").write_text(source, encoding="utf-8")
        shutil.copy(HERE / "honest.py", folder)
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")

    def line(self, submissions: Path, out: Path, *, course: Path = COURSE, seed: int = SEED) -> list[str]:
        options = {
            "--out": out, "--course": course, "--seed": seed, "--jobs": 2, "--device": "cpu", "--kernels": self.kernels,
        }  # fmt: skip
        words = [str(word) for option in options.items() for word in option]
        return [sys.executable, "-m", "harness", "grade", "toy", str(submissions), *words]

    def __call__(self, submissions: Path, out: Path, *, environment: Any = None, **given: Any) -> Marked:
        """Mark `submissions` to the end; `environment` and `cwd` are the grader's, `given` is for the command line."""
        cwd = given.pop("cwd", None)
        done = subprocess.run(
            self.line(submissions, out, **given),
            capture_output=True, text=True, timeout=LIMIT_S, cwd=cwd, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        assert not done.returncode, done.stderr
        return Marked(submissions, out, self.running(), results(out))

    def running(self) -> list[str]:
        """Command lines of whatever runs below this process; what has only to be waited for does not."""
        found, lines = set(psutil.Process().children()) - self.before, []
        for child in tuple(found):
            with suppress(psutil.NoSuchProcess):
                found.update(child.children(recursive=True))
        for process in found:
            with suppress(psutil.NoSuchProcess):  # also what is a zombie by now
                lines.append(" ".join(process.cmdline()))
        return [line for line in lines if line]  # on its way out a process has none


def results(out: Path) -> dict[str, Graded]:
    """All that the gradebook holds of its latest run, by student."""
    with Gradebook.open(out / "gradebook.sqlite") as gradebook:
        run = gradebook.latest()
        assert run is not None
        return {graded.candidate.student: graded for graded in gradebook.cohort(run.id).results}


def header(notebook: Path) -> dict[str, Any]:
    """What the first lines of a hostile notebook say must become of it."""
    lines = notebook.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# /// expected", notebook
    return tomllib.loads("\n".join(line[2:] for line in lines[1 : lines.index("# ///")]))


@pytest.fixture(scope="session", params=["cold", "warm"])
def grader(request: pytest.FixtureRequest) -> Iterator[Grader]:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    yield Grader(request.param)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture(scope="session")
def expected() -> dict[str, dict[str, Any]]:
    """What the first lines of each hostile notebook say, by its name."""
    return {name: header(path) for name, path in NOTEBOOKS.items()}


@pytest.fixture(scope="session")
def marked(grader: Grader, tmp_path_factory: pytest.TempPathFactory) -> Marked:
    """All hostile notebooks and a few honest ones between them, marked with two jobs."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, path in NOTEBOOKS.items():
        grader.hand_in(folder / "in", name, path.read_text(encoding="utf-8"), header(path).get("files"))
    for student in BYSTANDERS:
        grader.hand_in(folder / "in", student, HONEST)
    (folder / "tmp").mkdir()
    return grader(folder / "in", folder / "out", environment={"TMPDIR": str(folder / "tmp")})
