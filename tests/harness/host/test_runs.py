"""`bareme grade` with the real host: sooner, and in nothing else different from a run without one."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.gradebook.results import comparable
from harness.host import client

pytestmark = pytest.mark.slow
# A check that says which process its worker was forked from, and whose child that is; and waits while it is told to
TELLS = """
    import os, pathlib, psutil, time
    told = pathlib.Path(os.environ["TOLD"])
    (told / str(os.getpid())).write_text(f"{os.getppid()} {psutil.Process(os.getppid()).ppid()}")
    while (told.parent / "hold").exists():
        time.sleep(0.02)
    compare(submission.double(3)"""
PROGRESS = re.compile(r"\d/\d student-\d ")
SLOW = "import time; time.sleep(1)\n"
STUDENTS = 4
Kept = Callable[[int], list[psutil.Process]]  # the host's number -> itself, and what holds its fork servers


@dataclass(frozen=True)
class Graded:
    """What one `bareme grade` did."""

    said: list[str]  # on standard error, progress left out
    code: int
    results: dict[str, Any]  # that must not differ between two runs
    forked_from: set[int]  # workers' parents
    parents: set[int]  # of those
    by_host: bool  # the command had to import nothing of a run


@dataclass(frozen=True)
class Instructor:
    """Gives commands, where a student did."""

    student: Any
    folder: Path

    def begin(self, name: str, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start marking the cohort; `name` is the run's."""
        told = self.folder / f"{name}-told"
        told.mkdir(parents=True)
        places = [str(self.folder / "cohort"), "--out", str(self.folder / name), "--course", str(self.student.course)]
        command = [
            *self.student.line("none")[:4],
            "grade",
            "toy",
            *places,
            "--lang",
            "en",
            "--jobs",
            "2",
            "--seed",
            "7",
        ]
        variables = {"TOLD": str(told), "TEST_IMPORTED": str(self.folder / "imported")}
        return subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.student.work,
            env={**self.student.environment, **variables, **environment},
        )  # fmt: skip

    def end(self, name: str, command: subprocess.Popen[str]) -> Graded:
        """Mark to the end."""
        _, err = command.communicate(timeout=180.0)
        assert command.returncode in {0, 3}, err
        results = json.loads((self.folder / name / "results.json").read_text(encoding="utf-8"))
        told = [tuple(map(int, one.read_text().split())) for one in (self.folder / f"{name}-told").iterdir()]
        forked_from, parents = map(set, zip(*told, strict=True))
        said = [line for line in err.splitlines() if not PROGRESS.match(line)]
        by_host = (self.folder / "imported").read_text(encoding="utf-8") == "False"
        return Graded(said, command.returncode, comparable(results), forked_from, parents, by_host)

    def grade(self, name: str, *options: str, **more: str) -> Graded:
        """Start and end."""
        return self.end(name, self.begin(name, *options, **more))


@pytest.fixture
def instructor(student: Any, tmp_path: Path) -> Iterator[Instructor]:
    """With a cohort of four, one of them wrong and one broken."""
    checks = student.course / "toy" / "checks.py"
    text = checks.read_text(encoding="utf-8").replace("\n    compare(submission.double(3)", TELLS)
    checks.write_text(text, encoding="utf-8")
    cells = [[SLOW, student.RIGHT], [SLOW, student.WRONG], [SLOW, "1 / 0"], [SLOW, student.RIGHT]]
    for number, sources in enumerate(cells):
        folder = tmp_path / "cohort" / f"student-{number}"
        folder.mkdir(parents=True)
        shutil.move(student.notebook(*sources), folder)
    yield Instructor(student, tmp_path)
    for left in Path(student.environment["TMPDIR"]).glob("pymp-*"):  # by multiprocessing in a command that was killed
        shutil.rmtree(left)


def marked(results: dict[str, Any]) -> list[str]:
    return [submission["status"] for submission in results["submissions"]]


@pytest.fixture
def warm(instructor: Instructor, wait: Any) -> int:
    """A host that keeps a fork server for the assignment."""
    host = instructor.student.start_host()
    instructor.grade("before")
    wait(lambda: client.status().warm == ["toy"])
    return int(host)


def test_the_first_run_leaves_a_host_behind_for_the_next(instructor: Instructor, student: Any, wait: Any) -> None:
    first = instructor.grade("first")
    host = student.host()
    wait(lambda: client.status().warm == ["toy"])
    second = instructor.grade("second", "--kernels", "warm")
    assert host not in first.parents
    assert second.parents == {host}
    assert (first.by_host, second.by_host) == (False, True)
    assert (second.code, second.said) == (first.code, first.said) == (0, [])
    assert second.results == first.results
    assert marked(first.results) == ["marked"] * STUDENTS
    assert student.host() == host


@pytest.mark.parametrize("kernels", ["auto", "warm", "cold"])
def test_results_are_the_same_after_other_assignments(
    instructor: Instructor, student: Any, wait: Any, kernels: str
) -> None:
    copied(student, "second")
    host = student.start_host()
    for _ in range(2):
        assert student.check(student.notebook(student.RIGHT), "second").by_host
    alone, served = instructor.grade("alone", "--no-host", "--kernels", kernels), instructor.grade("served")
    again = instructor.grade("again", "--kernels", kernels)
    assert (alone.parents & {host}, served.parents, again.parents) == (set(), {host}, {host})
    assert (alone.by_host, served.by_host, again.by_host) == (False, True, True)
    assert served.results == alone.results == again.results
    assert (alone.said, alone.code) == (served.said, served.code) == (again.said, again.code) == ([], 0)


@pytest.mark.parametrize(
    ("options", "environment"), [(["--no-host"], {}), ([], {"BAREME_HOST": "0"}), ([], {"CI": "true"})], ids=str
)
def test_no_host_is_started_where_none_is_wanted(
    instructor: Instructor, student: Any, options: list[str], environment: dict[str, str]
) -> None:
    assert instructor.grade("alone", *options, **environment).code == 0
    assert client.status() is None
    assert list((student.folder / "run").iterdir()) == []


def test_a_host_that_is_held_by_other_limits_is_left_alone(instructor: Instructor, student: Any) -> None:
    host = student.start_host()
    before, _ = os.getpriority(os.PRIO_PROCESS, 0), os.nice(1)
    try:
        command = instructor.begin("nice")
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
    done = instructor.end("nice", command)
    assert host not in done.parents
    assert client.status().warm == []
    assert student.host() == host


@pytest.mark.parametrize("how", ["killed", "frozen", "stopped", "told to end"])
def test_what_happens_to_the_host_in_mid_run_changes_no_result(instructor: Instructor, warm: int, how: str) -> None:
    calm = instructor.grade("calm", "--no-host")
    command = instructor.begin("troubled")
    first = command.stderr.readline()
    match how:
        case "killed":
            os.kill(warm, signal.SIGKILL)
        case "frozen":
            os.kill(warm, signal.SIGSTOP)
        case "stopped":
            client.stop()
        case "told to end":
            os.kill(warm, signal.SIGTERM)
    done = instructor.end("troubled", command)
    assert len(done.forked_from) == 1  # though somebody else may have taken it in
    assert warm in done.parents
    assert done.results == calm.results
    assert PROGRESS.match(first)
    assert (done.said, done.code) == ([], 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_a_keeper_that_ends_in_mid_run_changes_no_result(
    instructor: Instructor, warm: int, kept: Kept, number: signal.Signals
) -> None:
    calm = instructor.grade("calm", "--no-host")
    command = instructor.begin("troubled")
    first = command.stderr.readline()
    _, keeper, *_ = kept(warm)
    keeper.send_signal(number)
    done = instructor.end("troubled", command)
    assert done.results == calm.results
    assert PROGRESS.match(first)
    assert (done.said, done.code) == ([], 0)


def test_a_keeper_stays_as_long_as_a_run_uses_it(
    instructor: Instructor, student: Any, warm: int, kept: Kept, wait: Any
) -> None:
    for slug in ("second", "third"):
        copied(student, slug)
    _, keeper, *_ = kept(warm)
    hold = instructor.folder / "hold"
    hold.touch()
    command = instructor.begin("long")
    wait(lambda: list((instructor.folder / "long-told").iterdir()))
    notebook = student.notebook(student.RIGHT, name="mine")
    for slug in ("second", "third"):
        assert student.check(notebook, slug).by_host
        wait(lambda slug=slug: slug in client.status().warm)
    assert client.status().warm == ["toy", "second", "third"]
    hold.unlink()
    done = instructor.end("long", command)
    assert keeper.is_running()
    assert marked(done.results) == ["marked"] * STUDENTS
    wait(lambda: client.status().warm == ["third", "toy"])


def test_a_frozen_host_is_done_without(instructor: Instructor, warm: int) -> None:
    os.kill(warm, signal.SIGSTOP)
    done = instructor.grade("alone")
    assert warm not in done.parents
    assert done.said == [
        "The process in the background does not answer, going on without it; `bareme host --stop` ends it."
    ]
    assert marked(done.results) == ["marked"] * STUDENTS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP], ids=str)
def test_the_end_of_the_command_ends_all_but_the_host(
    instructor: Instructor, warm: int, kept: Kept, number: signal.Signals
) -> None:
    before = set(psutil.Process().children(recursive=True))
    stay = kept(warm)
    assert len(stay) > 1
    command = instructor.begin("ended")
    command.stderr.readline()
    started = set(psutil.Process().children(recursive=True)) - before
    command.send_signal(number)
    command.communicate(timeout=60.0)
    _, alive = psutil.wait_procs(started, timeout=60.0)
    assert alive == []
    assert {one for one in stay if one.is_running() and one.status() != psutil.STATUS_ZOMBIE} == set(stay)
    assert client.status().warm == ["toy"]


def copied(student: Any, slug: str) -> None:
    """One more assignment like the first."""
    shutil.copytree(student.course / "toy", student.course / slug)
    (student.course / slug / "checks.py").write_text(
        (student.course / "toy" / "checks.py").read_text().replace(TELLS, "\n    compare(submission.double(3)"),
        encoding="utf-8",
    )
    shutil.copy(student.course / "toy_oracle.py", student.course / f"{slug}_oracle.py")
    file = student.course / slug / "assignment.toml"
    file.write_text(file.read_text().replace('"toy', f'"{slug}'), encoding="utf-8")
