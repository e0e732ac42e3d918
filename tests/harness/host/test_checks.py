"""A student's checks with the real host: the same answers as without one, always of the files as they are now."""

import os
import pty
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.host import client

pytestmark = pytest.mark.slow
ALL_RIGHT = "toy.ipynb: Doubling, 1 code cell\n✓ Three doubled  1/1\n✓ Five doubled  1/1\n2 / 2\n"
ONE_WRONG = """toy.ipynb: Doubling, 2 code cells
• cell 2: ZeroDivisionError: division by zero
✗ Three doubled  0/1  wrong answer
`double(3)`: expected 6, got 3.
– Five doubled  0/1  skipped
Not run: this check needs “Three doubled”, which did not pass.
0 / 2
"""
LEAVES = """
import json, os
from harness.checks import check

@check(points=2, fr="Laisser", en="Leave")
def test_leaves():
    seen, json.left = getattr(json, "left", "nothing"), "something"
    raise AssertionError(f"seen: {seen} {os.environ.get('LEFT')}")
"""


def test_the_first_check_is_made_by_the_command_and_those_after_it_by_the_host(student: Any) -> None:
    notebook = student.notebook(student.RIGHT)
    first = student.check(notebook)
    host = student.host()
    second = student.check(notebook)
    assert (first.out, first.err, first.code, first.by_host) == (ALL_RIGHT, "", 0, False)
    assert (second.out, second.err, second.code, second.by_host) == (ALL_RIGHT, "", 0, True)
    assert student.host() == host


@pytest.mark.parametrize(
    ("notebook", "options", "code"),
    [
        ("wrong.ipynb", ["toy"], 1),
        ("wrong.ipynb", ["toy", "--lang", "fr"], 1),
        ("wrong.ipynb", ["toy", "--kernels", "cold"], 1),
        ("wrong.ipynb", ["toy", "--sandbox", "plain"], 1),
        ("none.ipynb", ["toy"], 2),
        ("no-notebook.ipynb", ["toy"], 2),
        ("wrong.ipynb", [], 1),
        ("wrong.ipynb", ["unknown"], 2),
    ],
)
def test_everything_that_is_printed_is_the_same_without_a_host(
    student: Any, notebook: str, options: list[str], code: int
) -> None:
    student.notebook(student.WRONG, "1 / 0", name="wrong")
    (student.work / "no-notebook.ipynb").write_text("{", encoding="utf-8")
    student.start_host()
    alone, served = student.check(notebook, *options, "--no-host"), student.check(notebook, *options)
    assert (alone.by_host, served.by_host) == (False, True)
    assert (served.out, served.err, served.code) == (alone.out, alone.err, alone.code)
    assert served.code == code


def test_a_wrong_notebook_is_told_all_that_is_wrong(student: Any) -> None:
    student.start_host()
    served = student.check(student.notebook(student.WRONG, "1 / 0"))
    assert (served.out, served.by_host) == (ONE_WRONG, True)


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "20"}], ids=str)
def test_a_terminal_shows_the_same(student: Any, environment: dict[str, str]) -> None:
    notebook = student.notebook(student.WRONG)
    student.start_host()
    environment = {"TERM": "xterm-256color", **environment}
    alone, served = (_on_terminal(student, notebook, *more, **environment) for more in (["--no-host"], []))
    assert served == alone
    assert ("\x1b[" in served) == (environment["TERM"] != "dumb")


def _on_terminal(student: Any, notebook: Path, *options: str, **environment: str) -> str:
    ours, theirs = pty.openpty()
    told = {"TEST_IMPORTED": str(student.folder / "imported")}
    with subprocess.Popen(
        student.line(notebook, *options),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=student.work,
        env={**student.environment, **told, **environment},
    ):
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # how Linux says that nobody holds the other end
            pass
    os.close(ours)
    assert (student.folder / "imported").read_text() == str("--no-host" in options)
    return shown.decode()


@pytest.mark.parametrize("name", ["toy/checks.py", "toy_oracle.py"])
def test_a_changed_course_is_never_marked_with_old_code(student: Any, name: str) -> None:
    """Not even when nothing of the file's size and time tells that it has changed."""
    notebook = student.notebook(student.RIGHT)
    host = student.start_host()
    before = student.check(notebook)
    path = student.course / name
    text, facts = path.read_text(encoding="utf-8"), path.stat()
    changed = text.replace("oracle.double(3)", "oracle.double(4)").replace("2 * x", "3 * x")
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = student.check(notebook)
    assert (before.code, before.by_host) == (0, True)
    assert (after.code, after.by_host) == (1, True)
    assert "wrong answer" in after.out
    assert student.host() == host


def test_a_changed_assignment_is_read_anew(student: Any) -> None:
    notebook = student.notebook("import statistics\n" + student.RIGHT)
    student.start_host()
    before = student.check(notebook, "toy")
    path = student.course / "toy" / "assignment.toml"
    path.write_text(path.read_text().replace("toy_forbidden", "statistics"), encoding="utf-8")
    after = student.check(notebook, "toy")
    assert (before.code, before.by_host) == (0, True)
    assert (after.code, after.by_host) == (1, True)
    assert "rule broken" in after.out


def test_another_environment_gets_another_host(student: Any, wait: Any) -> None:
    notebook = student.notebook(student.RIGHT)
    host = student.start_host()
    other = student.check(notebook, MKL_CBWR="COMPATIBLE")
    assert (other.out, other.by_host) == (ALL_RIGHT, False)
    successor = wait(lambda: (facts := client.status()) and facts.pid != host and facts.pid)
    again = student.check(notebook, MKL_CBWR="COMPATIBLE")
    assert (again.out, again.by_host) == (ALL_RIGHT, True)
    assert student.host() == successor


@pytest.mark.parametrize(
    ("options", "environment"), [(["--no-host"], {}), ([], {"BAREME_HOST": "0"}), ([], {"CI": "true"})], ids=str
)
def test_no_host_is_started_where_none_is_wanted(student: Any, options: list[str], environment: dict[str, str]) -> None:
    done = student.check(student.notebook(student.RIGHT), *options, **environment)
    assert (done.out, done.by_host) == (ALL_RIGHT, False)
    assert client.status() is None
    assert list((student.folder / "run").iterdir()) == []


@pytest.mark.parametrize(("options", "environment"), [(["--no-host"], {}), ([], {"BAREME_HOST": "0"})], ids=str)
def test_a_host_that_is_there_is_not_asked_where_none_is_wanted(
    student: Any, options: list[str], environment: dict[str, str]
) -> None:
    student.start_host()
    done = student.check(student.notebook(student.RIGHT), *options, **environment)
    assert (done.out, done.by_host) == (ALL_RIGHT, False)


def test_two_checks_at_once(student: Any) -> None:
    right, wrong = student.notebook(student.RIGHT), student.notebook(student.WRONG, name="toy-wrong")
    student.start_host()
    with ThreadPoolExecutor(2) as both:
        codes = list(both.map(lambda path: student.check(path).code, [right, wrong]))
    assert codes == [0, 1]


def test_nothing_of_one_check_reaches_the_next(student: Any) -> None:
    """Neither what checks.py leaves in modules, nor the environment of another command."""
    path = student.course / "toy" / "checks.py"
    path.write_text(LEAVES, encoding="utf-8")
    notebook = student.notebook(student.RIGHT)
    student.environment["LEFT"] = "with whoever started the host"
    student.start_host()
    del student.environment["LEFT"]
    first, second = student.check(notebook, LEFT="here"), student.check(notebook)
    assert (first.by_host, second.by_host) == (True, True)
    assert "seen: nothing here" in first.out
    assert "seen: nothing None" in second.out


def test_feedback_comes_before_the_notebook_has_run(student: Any) -> None:
    """Through a pipe as well: the first line is there while a cell still runs."""
    student.start_host()
    command = student.begin(student.notebook("1 / 0", student.FOREVER), "toy")
    lines = [command.stdout.readline(), command.stdout.readline()]
    assert lines == ["toy.ipynb: Doubling, 2 code cells\n", "• cell 1: ZeroDivisionError: division by zero\n"]
    assert command.poll() is None
    command.kill()
    command.communicate()
