"""What ends, and that nothing stays: the command, the worker with its kernel, the host; and a host that is broken."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.host import client

pytestmark = pytest.mark.slow
RIGHT_LINES = ["✓ Three doubled  1/1", "✓ Five doubled  1/1", "2 / 2"]
# A host like any other, which takes a much shorter time for idleness
IMPATIENT = """
import harness.host.server
harness.host.server.IDLE_S = 0.1
from harness.host.__main__ import main
main()
"""


@pytest.fixture
def busy(student: Any, below: Any, wait: Any) -> Callable[..., subprocess.Popen[str]]:
    """A check that the host makes and that will not end by itself; its kernel runs."""

    def begin(*options: str) -> subprocess.Popen[str]:
        command = student.begin(student.notebook("1 / 0", student.FOREVER), "toy", *options)
        assert command.stdout.readline()
        assert "ZeroDivisionError" in command.stdout.readline()
        return command

    return begin


def _gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=60.0)
    assert alive == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_the_end_of_the_command_ends_worker_and_kernel(
    student: Any, busy: Any, below: Any, number: signal.Signals
) -> None:
    host = student.start_host()
    command = busy()
    started = below(host)
    assert len(started) > 1  # the worker and what it started
    command.send_signal(number)
    command.communicate(timeout=60.0)
    _gone(started)
    assert student.host() == host


def test_a_warm_kernel_ends_with_its_command_and_its_fork_server_stays(
    student: Any, busy: Any, below: Any, kept: Any, wait: Any
) -> None:
    host = student.start_host()
    student.check(student.notebook(student.RIGHT))
    wait(lambda: client.status().warm)
    stay, before = kept(host), below(host)
    assert len(stay) > 1
    command = busy()
    started = [process for process in below(host) if process not in before]
    assert started
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=60.0)
    _gone(started)
    assert all(process.is_running() for process in stay)
    assert client.status().warm == ["toy"]


def test_a_worker_that_dies_is_not_the_end_of_the_check(student: Any, below: Any) -> None:
    """The command says so, and goes on by itself."""
    host = student.start_host()
    slow = student.notebook("import time; time.sleep(3)\n" + student.RIGHT)
    command = student.begin(slow, "toy")
    command.stdout.readline()
    [worker] = psutil.Process(host).children()
    worker.kill()
    out, err = command.communicate(timeout=120.0)
    assert "The process in the background has ended, checking again here." in err
    assert out.splitlines()[-3:] == RIGHT_LINES
    assert command.returncode == 0


def test_a_kernel_whose_fork_server_dies_is_replaced(student: Any, below: Any, wait: Any) -> None:
    host = student.start_host()
    student.check(student.notebook(student.RIGHT))
    wait(lambda: client.status().warm)
    keeper = next(process for process in psutil.Process(host).children() if process.children())
    slow = student.notebook("import time; time.sleep(3)\n" + student.RIGHT)
    command = student.begin(slow, "toy")
    command.stdout.readline()
    keeper.kill()
    out, err = command.communicate(timeout=120.0)
    assert (out.splitlines()[-3:], err, command.returncode) == (RIGHT_LINES, "", 0)
    assert student.host() == host


def test_a_frozen_host_is_done_without_and_can_be_ended(student: Any) -> None:
    host = student.start_host()
    os.kill(host, signal.SIGSTOP)
    done = student.check(student.notebook(student.RIGHT))
    assert (done.out.splitlines()[-3:], done.code, done.by_host) == (RIGHT_LINES, 0, False)
    assert "`bareme host --stop`" in done.err
    assert client.stop()
    assert client.status() is None


def test_a_host_that_was_killed_makes_room(student: Any, wait: Any) -> None:
    host = student.start_host()
    os.kill(host, signal.SIGKILL)
    os.waitpid(host, 0)
    done = student.check(student.notebook(student.RIGHT))
    assert (done.code, done.err, done.by_host) == (0, "", False)
    assert student.host() != host
    assert student.check(student.notebook(student.RIGHT)).by_host


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_a_host_that_is_told_to_end_ends_with_all_it_started(
    student: Any, busy: Any, below: Any, number: signal.Signals
) -> None:
    """A check that it is making goes on in the command."""
    host = student.start_host()
    command = busy()
    everything = [psutil.Process(host), *below(host)]
    os.kill(host, number)
    _gone(everything)
    assert client.status() is None
    said = command.stderr.readline()
    command.kill()
    command.communicate()
    assert said == "The process in the background has ended, checking again here.\n"


def test_a_host_ends_when_its_folder_disappears(student: Any) -> None:
    host = psutil.Process(student.start_host())
    shutil.rmtree(student.folder / "run" / "bareme")
    _gone([host])


def test_a_host_ends_when_its_folder_is_moved(student: Any) -> None:
    host = psutil.Process(student.start_host())
    (student.folder / "run" / "bareme").rename(student.folder / "run" / "elsewhere")
    _gone([host])


def test_a_host_that_nobody_asks_ends(student: Any, wait: Any) -> None:
    starter = subprocess.run(
        [sys.executable, "-P", "-c", IMPATIENT], input='{"modules": [], "wanted": null}', text=True,
        env=student.environment, check=True,
    )  # fmt: skip
    assert starter.returncode == 0
    folder = student.folder / "run" / "bareme"
    wait(lambda: list(folder.glob("*.socket")) or list(folder.glob("*.log")))
    wait(lambda: not list(folder.glob("*.socket")))  # the fixture sees that its process has ended too


def test_a_second_host_makes_room_for_the_first(student: Any) -> None:
    host = student.start_host()
    assert student.start_host() == host


def test_a_host_keeps_nothing_of_whoever_started_it(student: Any) -> None:
    """No terminal, no session, no folder, no descriptor; and the command that starts it leaves no zombie."""
    before = set(psutil.Process().children())
    ours, theirs = os.openpty()
    command = subprocess.run(
        student.line(student.notebook(student.RIGHT)), stdin=theirs, stdout=theirs, stderr=theirs, cwd=student.work,
        env={**student.environment, "TEST_IMPORTED": str(student.folder / "imported")}, check=True,
    )  # fmt: skip
    assert command.returncode == 0
    host = psutil.Process(student.host())
    assert host.terminal() is None
    assert os.getsid(host.pid) not in {os.getsid(0), host.pid}  # its own, and without the right to take a terminal
    assert host.cwd() == "/"
    opened = {str(one.readlink()) for one in Path(f"/proc/{host.pid}/fd").iterdir()}
    place = str(student.folder / "run" / "bareme")
    assert {name for name in opened if name.startswith("/") and not name.startswith(place)} == {os.devnull}
    assert not [one for one in opened if "pts" in one or "ptmx" in one]
    assert set(psutil.Process().children()) - before == {host}
    os.close(ours)
    os.close(theirs)


def test_stop_says_whether_there_was_one(student: Any) -> None:
    said = [_host(student, "--stop"), _host(student)]
    student.start_host()
    said += [_host(student), _host(student, "--stop"), _host(student)]
    none = "No process in the background.\n"
    assert (said[0], said[1], said[4]) == (none, none, none)
    assert said[2].startswith("In the background since ")
    assert said[3] == "The process in the background has ended.\n"


def _host(student: Any, *options: str) -> str:
    line = [sys.executable, "-m", "harness", "host", "--lang", "en", *options]
    return subprocess.run(line, capture_output=True, text=True, env=student.environment, check=True).stdout


def test_two_assignments_are_kept_ready(student: Any, wait: Any) -> None:
    """The two that were checked last."""
    for slug in ("second", "third"):
        shutil.copytree(student.course / "toy", student.course / slug)
        shutil.copy(student.course / "toy_oracle.py", student.course / f"{slug}_oracle.py")
        file = student.course / slug / "assignment.toml"
        file.write_text(file.read_text().replace('"toy', f'"{slug}'), encoding="utf-8")
    student.start_host()
    notebook = student.notebook(student.RIGHT, name="mine")
    for slug, kept in (
        ("toy", ["toy"]),
        ("second", ["toy", "second"]),
        ("toy", ["second", "toy"]),
        ("third", ["toy", "third"]),
    ):
        assert student.check(notebook, slug).by_host
        wait(lambda kept=kept: client.status().warm == kept)
