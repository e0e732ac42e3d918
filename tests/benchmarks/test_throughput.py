"""benchmarks/throughput: the cohort is what it says, a run is measured in full, and no wrong mark goes unseen."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import torch

from benchmarks.throughput import bundled, courses, peers, rounds, table, tools, watch
from benchmarks.throughput.cohort import MISTAKES, Student, students
from benchmarks.throughput.questions import QUESTIONS
from benchmarks.throughput.rounds import Contender, Measured
from benchmarks.throughput.watch import Failed, Lane, Usage
from harness.course import load_course

PATIENCE_S = 60
NAMES = {question.name for question in QUESTIONS}
BURN_S = 0.3
ORPHAN = f"""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the child: no other process is told what it used
if os.fork() == 0:
    while time.process_time() < {BURN_S}:
        pass
"""
HOLDER = "import sys; held = bytearray(b'x' * (64 << 20)); print('ready', flush=True); sys.stdin.read()"


def lane(folder: Path, *commands: Sequence[str]) -> Lane:
    return Lane(commands, folder, {"PATH": "/usr/bin:/bin"})


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def answers(student: Student) -> dict[str, float]:
    """The tests that the peers run, run here."""
    names = {"torch": torch}
    for cell in student.cells:
        exec(cell, names)
    points = {}
    for question in QUESTIONS:
        try:
            exec(question.test(), names)
        except AssertionError:
            points[question.name] = 0.0
        else:
            points[question.name] = 1.0
    return points


def test_a_student_is_the_same_in_every_cohort() -> None:
    assert students(60)[:12] == students(12)
    assert len({student.cells for student in students(60)}) == 60


def test_every_question_is_answered_wrongly_by_someone() -> None:
    wrong = [student.wrong for student in students(60) if student.wrong]
    assert len(wrong) == 10
    assert set(wrong) == NAMES == set(MISTAKES)


def test_what_a_student_earns_is_what_the_tests_find(capsys: pytest.CaptureFixture[str]) -> None:
    found = {student.name: answers(student) for student in students(60)}
    assert found == {student.name: student.points for student in students(60)}


def test_the_course_of_bareme_asks_the_same_questions(tmp_path: Path) -> None:
    courses.write_bareme(tmp_path, students(2))
    assignment = load_course(tmp_path / "course").assignment(courses.ASSIGNMENT)
    assert {entry.name for entry in assignment.file.entry_points} == NAMES
    checks = assignment.checks.read_text(encoding="utf-8")
    assert all(f"compare(submission.{question.call}, oracle.{question.call})" in checks for question in QUESTIONS)


def test_the_course_of_nbgrader_has_a_locked_test_for_each_question(tmp_path: Path) -> None:
    courses.write_nbgrader(tmp_path, students(2))
    found = sorted(tmp_path.glob("*/**/*.ipynb"))
    assert len(found) == 3
    for path in found:
        made = nbformat.read(path, as_version=4)
        nbformat.validate(made)
        roles = [cell.metadata.nbgrader for cell in made.cells]
        assert sum(role.solution for role in roles) == 3
        assert {role.grade_id for role in roles if role.grade and role.locked and role.points == 1} == NAMES


def test_the_tests_of_otter_are_python(tmp_path: Path) -> None:
    courses.write_otter(tmp_path, students(1))
    assert {path.stem for path in (tmp_path / "tests").iterdir()} == NAMES
    for path in (tmp_path / "tests").iterdir():
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_marks_that_differ_are_named() -> None:
    tools.verify({"a": {"q": 1.0}}, {"a": {"q": 1.0}})
    with pytest.raises(Failed, match=r"b: None, not {'q': 1.0}"):
        tools.verify({"a": {"q": 1.0}}, {"a": {"q": 1.0}, "b": {"q": 1.0}})
    with pytest.raises(Failed, match=r"a: {'q': 0.0}, not {'q': 1.0}"):
        tools.verify({"a": {"q": 0.0}}, {"a": {"q": 1.0}})


def test_commands_of_a_lane_follow_each_other(tmp_path: Path) -> None:
    watch.run([lane(tmp_path, ["sh", "-c", "echo one"], ["sh", "-c", "echo two"])])
    assert (tmp_path / "commands.log").read_text() == "one\ntwo\n"


def test_lanes_run_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other at a pipe: one after the other they would never end."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    subprocess.run(["mkfifo", tmp_path / "pipe"], check=True)
    writes, reads = ["timeout", f"{PATIENCE_S}", "sh", "-c", "echo met > ../pipe"], ["timeout", "60", "cat", "../pipe"]
    watch.run([lane(folders[0], writes), lane(folders[1], reads)])
    assert (folders[1] / "commands.log").read_text() == "met\n"


def test_a_command_that_fails_is_shown_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"exit code 3 of sh -c echo why; exit 3\nwhy"):
        watch.run([lane(tmp_path, ["sh", "-c", "echo why; exit 3"])])


def test_cpu_time_is_complete_without_anyone_waiting(tmp_path: Path) -> None:
    usage = watch.run([lane(tmp_path, python(ORPHAN))])
    if usage.cpu_s is None:
        pytest.skip("no control group can be made here")
    assert usage.cpu_s >= BURN_S


def test_what_comes_before_the_clock_is_not_counted_and_what_comes_after_is_run(tmp_path: Path) -> None:
    burns = python(f"import time\nwhile time.process_time() < {BURN_S}: pass\nprint('before')")
    sleeps = ["sh", "-c", f"sleep {BURN_S}; echo after"]
    usage = watch.run([Lane([["echo", "now"]], tmp_path, {"PATH": "/usr/bin:/bin"}, before=[burns], after=[sleeps])])
    assert (tmp_path / "commands.log").read_text() == "before\nnow\nafter\n"
    assert usage.cpu_s is None or usage.cpu_s < BURN_S


def test_what_ran_before_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    def look(pid: int) -> int:
        looked_at.append(pid)
        (tmp_path / "seen").touch()
        return 0

    monkeypatch.setattr(watch, "_pss_bytes", look)
    until_seen = ["timeout", f"{PATIENCE_S}", "sh", "-c", "until [ -e seen ]; do sleep 0.01; done"]
    with subprocess.Popen(python(HOLDER), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        watch.run([lane(tmp_path, until_seen)], look=True)
        assert holder.poll() is None  # nor was it ended with what the command left
        holder.communicate()
    assert looked_at
    assert holder.pid not in looked_at


def test_what_is_left_running_is_an_error_and_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "ENDING_S", 0.1)
    with pytest.raises(Failed, match="still running") as raised:
        watch.run([lane(tmp_path, ["sh", "-c", "sleep 1000 & echo $!"])])
    left = (tmp_path / "commands.log").read_text().strip()
    assert left in str(raised.value)
    assert not Path("/proc", left).exists()


def test_memory_is_what_the_process_holds() -> None:
    with subprocess.Popen(python(HOLDER), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        size = watch._pss_bytes(holder.pid)
        holder.communicate()
    assert size is not None
    assert size >= 64 << 20
    assert watch._pss_bytes(holder.pid) == 0


def test_the_sampler_sees_what_runs_below_us() -> None:
    memory = watch.Memory(watch.Tree())
    with subprocess.Popen(python(HOLDER), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory.done, "wait", lambda _s: memory.peak_bytes > 0)  # until it has seen something
            memory.look()
        holder.communicate()
    assert memory.peak_bytes >= 64 << 20


@dataclass(frozen=True)
class Noting:
    """A tool that writes its name into a file, and marks as it is told."""

    name: str
    noted: Path
    right: bool = True

    def lane(self, folder: Path, students: Sequence[Student]) -> Lane:
        return lane(folder, ["sh", "-c", f"echo {self.name} {len(students)} >> {self.noted}"])

    def marks(self, folder: Path) -> tools.Marks:
        return {"all": {"marked": float(self.right)}}

    def expected(self, students: Sequence[Student]) -> tools.Marks:
        return {"all": {"marked": 1.0}}


def test_rounds_take_turns(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    rows = [Contender(name, "", Noting(name, noted)) for name in "ab"]
    found = rounds.repeat(rows, students(3), times=2)
    assert noted.read_text().split("\n") == ["a 3", "b 3"] * 3 + [""]
    assert [len(found[name].timed) for name in "ab"] == [2, 2]


def test_shares_are_side_by_side_and_complete(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    rounds.repeat([Contender("a", "", Noting("a", noted), beside=2)], students(5), times=1)
    assert sorted(noted.read_text().split("\n")[:2]) == ["a 2", "a 3"]


def test_a_tool_that_marks_otherwise_ends_the_comparison(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="not every notebook"):
        rounds.repeat([Contender("a", "", Noting("a", tmp_path / "noted", right=False))], students(3), times=1)


def measured(notebooks: int, *walls_s: float) -> Measured:
    return Measured(notebooks, Usage(1.0, 1.0, 1 << 20), [Usage(wall_s, None) for wall_s in walls_s])


def test_own_cost_holds_no_start_and_no_student() -> None:
    found = rounds.own_cost(measured(11, 5.0, 6.0, 9.0), measured(1, 3.0, 3.0, 3.0), 0.05)
    assert (found.median, found.low, found.high) == pytest.approx((0.25, 0.15, 0.55))


def test_the_line_for_machines_has_the_median_of_what_was_measured() -> None:
    found = {"otter": measured(10, 30.0, 20.0, 40.0), "other": measured(1, 1.0)}
    assert table.headline(found, ("nbgrader", "otter")) == {"otter": 3.0}


def test_the_page_says_what_could_not_be_measured() -> None:
    rows = [Contender("bareme_warm", "this", Noting("a", Path())), Contender("otter", "that", Noting("b", Path()))]
    found = {"bareme_warm": measured(10, 1.0), "otter": measured(10, 30.0)}
    page = table.page("command", ["a machine"], rows, found, [(0.1, 0.2)], {})
    row = next(line for line in page.splitlines() if line.startswith("| otter"))
    assert row.split(" | ")[1:] == [
        "that", "3.000 (3.000 to 3.000)", "20", "not measured: no control group could be made", "1", "30.0 |",
    ]  # fmt: skip


def test_the_bundled_cohorts_are_found() -> None:
    assert {"attention", "ngram"} <= bundled.cohorts().keys()
    expected = bundled._expected(bundled.cohorts()["ngram"])
    assert expected["student-01"] == {"score": 20.0}


def test_another_version_of_a_peer_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "nbgrader" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 0.1\n")
    program.chmod(0o755)
    with pytest.raises(Failed, match=r"holds nbgrader 0\.1, not 0\.9\.6"):
        peers.peer("nbgrader", tmp_path)


@pytest.mark.slow
def test_own_time_is_measured_for_every_student() -> None:
    found = tools.own_seconds(students(3))
    assert len(found) == 3
    assert all(seconds > 0 for pair in found for seconds in pair)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool",
    [tools.Bareme("warm", 1), tools.Bareme("cold", 1), tools.BaremeHost("warm", 1), tools.Nbclient()],
    ids=["warm", "cold", "host", "nbclient"],
)
def test_a_tool_marks_the_cohort_as_expected(tool: tools.Tool) -> None:
    found = rounds.repeat([Contender("tool", "", tool)], students(6), times=1)
    assert found["tool"].looked.peak_bytes
    assert len(found["tool"].timed) == 1


@pytest.mark.slow
def test_the_command_ends_with_one_line_for_machines(tmp_path: Path) -> None:
    script, out = Path(watch.__file__).parents[1] / "throughput.py", tmp_path / "table.md"
    options = ["--tools", "nbclient", "--notebooks", "1", "--repeat", "1", "--json", "--out", str(out)]
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]).keys() == {"nbclient"}
    assert out.read_text(encoding="utf-8") in done.stdout
