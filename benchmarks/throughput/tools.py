"""The tools: how each is given the cohort, what is started, and where the marks are found afterwards.

A tool is used as its documentation says, with its quickest ordinary settings. Writing the files that a tool expects
(`commands`) and reading its marks (`marks`) are not part of a measured run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import nbformat

from benchmarks.throughput import courses
from benchmarks.throughput.cohort import Student, notebook
from benchmarks.throughput.courses import ASSIGNMENT
from benchmarks.throughput.peers import Peer, environment
from benchmarks.throughput.questions import QUESTIONS
from benchmarks.throughput.watch import Failed, Lane

INSIDE = Path(__file__).with_name("inside")
Marks = Mapping[str, Mapping[str, float]]  # student -> question -> points
Stages = Mapping[str, float]  # "queued", "started", "executed", "checked" -> seconds


class Tool(Protocol):
    """One way to mark a cohort."""

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        """Write into the empty `folder` what the tool needs; the commands that mark these students."""

    def marks(self, folder: Path) -> Marks:
        """What the tool found, after its commands have ended."""

    def expected(self, students: Sequence[Student]) -> Marks:
        """What it must have found."""


class Marking:
    """Tools that give points to each question."""

    def expected(self, students: Sequence[Student]) -> Marks:
        return {student.name: student.points for student in students}


@dataclass(frozen=True)
class Bareme(Marking):
    """`bareme grade`: sandboxed, with gradebook, a page for each student and all exports."""

    kernels: Literal["warm", "cold"]
    jobs: int

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        courses.write_bareme(folder, students)
        command = self._command("out", "--no-host")
        return Lane([command], folder, environment(folder))

    def _command(self, out: str, *options: str) -> list[str]:
        line = (ASSIGNMENT, "submissions", "--course", "course", "--out", out, *options)
        return grade(*line, jobs=self.jobs, kernels=self.kernels)

    def marks(self, folder: Path) -> Marks:
        return {
            submission["student"]: {check["id"]: check["points"] for check in submission["checks"]}
            for submission in _results(folder)
        }

    def stages(self, folder: Path) -> list[Stages]:
        """Seconds of each stage, for each submission."""
        return [submission["seconds"] for submission in _results(folder)]


@dataclass(frozen=True)
class BaremeHost(Bareme):
    """The same with bareme's process in the background there, as an earlier run of the same cohort has left it behind.

    That run and the time until the process has all that it will have are not measured; what it does for the measured
    run is.
    """

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        courses.write_bareme(folder, students)
        (folder / "run").mkdir(mode=0o700)
        host, variables = [sys.executable, str(INSIDE / "host.py")], environment(folder)
        return Lane(
            [self._command("out")],
            folder,
            {**variables, "XDG_RUNTIME_DIR": str(folder / "run"), "BAREME_HOST": "1", "CI": "0"},
            before=[self._command("earlier"), [*host, "await"]],
            after=[[*host, "stop"]],
        )


@dataclass(frozen=True)
class Nbgrader(Marking):
    """`nbgrader autograde`, started once for all of `students`, with its gradebook."""

    peer: Peer

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        courses.write_nbgrader(folder, students)
        program, variables = self.peer.program("nbgrader"), environment(folder, self.peer)
        _prepared([program, "generate_assignment", ASSIGNMENT], folder, variables)
        return Lane([[program, "autograde", ASSIGNMENT]], folder, variables)

    def marks(self, folder: Path) -> Marks:
        read = [self.peer.program("python"), str(INSIDE / "nbgrader_marks.py"), ASSIGNMENT]
        marks: Marks = json.loads(_prepared(read, folder, environment(folder, self.peer)))
        return marks


@dataclass(frozen=True)
class Otter(Marking):
    """Otter-Grader without containers: `otter run` for each notebook, or all of them through `otter.api`."""

    peer: Peer
    through: Literal["run", "api"]

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        courses.write_otter(folder, students)
        otter, variables = self.peer.program("otter"), environment(folder, self.peer)
        _prepared(
            [otter, "generate", "--tests-dir", "tests", "--no-requirements", "--no-environment"], folder, variables
        )
        return Lane(self._commands(students), folder, variables)

    def _commands(self, students: Sequence[Student]) -> list[list[str]]:
        if self.through == "api":
            files = [f"submissions/{student.name}.ipynb" for student in students]
            return [[self.peer.program("python"), str(INSIDE / "otter_api.py"), *files]]
        otter = [self.peer.program("otter"), "run", "--no-logo", "--autograder", "autograder.zip", "--output-dir"]
        return [[*otter, f"results/{student.name}", f"submissions/{student.name}.ipynb"] for student in students]

    def marks(self, folder: Path) -> Marks:
        found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("results/*/results.json")}
        return {
            student: {test["name"]: test["score"] for test in results["tests"] if "score" in test}
            for student, results in found.items()
        }


@dataclass(frozen=True)
class Nbclient:
    """The least that any tool of this kind does: run each notebook in a fresh kernel, and mark nothing."""

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        (folder / "submissions").mkdir()
        files = [f"submissions/{student.name}.ipynb" for student in students]
        for student, file in zip(students, files, strict=True):
            nbformat.write(notebook(student.cells), folder / file)
        return Lane([[sys.executable, str(INSIDE / "nbclient_all.py"), *files]], folder, environment(folder))

    def marks(self, folder: Path) -> Marks:
        return {
            path.stem: {"outputs": float(sum(len(cell.outputs) for cell in nbformat.read(path, as_version=4).cells))}
            for path in folder.glob("executed/*.ipynb")
        }

    def expected(self, students: Sequence[Student]) -> Marks:
        """Each notebook prints in its second and in its third cell."""
        return {student.name: {"outputs": 2.0} for student in students}


def verify(found: Marks, expected: Marks) -> None:
    """Raises:
    Failed: a student is missing or was given other points than expected; says which.
    """
    if found != expected:
        names = sorted(found.keys() | expected.keys())
        other = [f"{name}: {found.get(name)}, not {expected.get(name)}" for name in names]
        different = [line for name, line in zip(names, other, strict=True) if found.get(name) != expected.get(name)]
        raise Failed("not every notebook was marked as it should be:\n" + "\n".join(different))


def grade(*line: str, jobs: int, kernels: str) -> list[str]:
    """The command line of `bareme grade`, with this Python."""
    return [sys.executable, "-m", "harness", "grade", *line, "--jobs", str(jobs), "--kernels", kernels]


def own_seconds(students: Sequence[Student]) -> list[tuple[float, float]]:
    """Seconds of the cells, and of the calls that the checks make, for each student, in a plain process with torch."""
    questions = [[question.draw, question.call] for question in QUESTIONS]
    done = subprocess.run(
        [sys.executable, str(INSIDE / "own_time.py")],
        input=json.dumps([[student.cells for student in students], questions]),
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as in bareme's kernels
        capture_output=True,
        text=True,
        check=True,
    )
    return [(cells_s, calls_s) for cells_s, calls_s in json.loads(done.stdout)]


def _results(folder: Path) -> list[dict[str, Any]]:
    submissions: list[dict[str, Any]] = json.loads((folder / "out" / "results.json").read_text())["submissions"]
    return submissions


def _prepared(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=variables, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"exit code {done.returncode} of {' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout
