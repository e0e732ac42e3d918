"""The process that workers are forked from: ready before they are, single-threaded, and gone with the grader."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
GRADER = """
import os, sys
from multiprocessing import forkserver
from pathlib import Path
from harness.errors import ConfigurationError
from harness.runners.contract import Task
from harness.runners.local import LocalRunner
import made

if __name__ == "__main__":
    runner = LocalRunner(2)
    runner.prepare(made.ready, "a", "b")
{body}
"""
MADE = """
import os, random, signal, sys, threading, time
from pathlib import Path

READY = []

def ready(*names):
    READY.append((os.getpid(), *names))
{ready}

def seen(folder):
    import numpy
    Path(folder, str(os.getpid())).touch()
    end = time.monotonic() + 60
    while len(os.listdir(folder)) < 2 and time.monotonic() < end:  # until the other worker has one as well
        time.sleep(0.01)
    return READY, os.getppid(), "BAREME_PRELOAD" in os.environ, random.random(), float(numpy.random.random())

def interruptible(_):
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return signal.SIGINT not in blocked and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
"""
Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def grader(tmp_path: Path) -> Run:
    """Start a grader that prepares workers by `ready` and then runs `body`."""

    def start(body: str, ready: str = "pass") -> subprocess.Popen[str]:
        (tmp_path / "made.py").write_text(MADE.format(ready=f"    {ready}"), encoding="utf-8")
        script = tmp_path / "grader.py"
        script.write_text(GRADER.format(body="\n".join(f"    {line}" for line in body.splitlines())), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        return subprocess.Popen([sys.executable, script], env=environment, text=True, stdout=subprocess.PIPE)

    return start


TWICE = """
folder = Path(__file__).with_name("workers")
folder.mkdir()
for item in runner.run(made.seen, [Task(folder, 120)] * 2):
    print(item.result)
print(len(os.listdir(f"/proc/{forkserver._forkserver._forkserver_pid}/task")), "thread")
print("BAREME_PRELOAD" in os.environ)
"""


def test_what_workers_need_is_made_ready_once_and_inherited(grader: Run) -> None:
    first, second, *rest = _said(grader(TWICE, "import numpy; numpy.random.random()")).splitlines()
    one, other = eval(first), eval(second)
    assert one[:3] == other[:3] == ([(one[1], "a", "b")], one[1], False)
    assert rest == ["1 thread", "False"]
    assert not set(one[3:]) & set(other[3:])  # two workers never draw the same


@pytest.mark.parametrize(
    "ready",
    [
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "raise ValueError('broken')",
        "sys.version",
    ],
    ids=["leaves a thread", "fails", "does nothing"],
)
def test_what_cannot_be_inherited_is_left_to_the_workers(grader: Run, ready: str) -> None:
    first, second, threads, _ = _said(grader(TWICE, ready)).splitlines()
    assert threads == "1 thread"
    kept = [(eval(line)[1], "a", "b") for line in (first, second)]
    assert [eval(line)[0] for line in (first, second)] == [[] if "Thread" in ready else [one] for one in kept]


def test_workers_can_be_interrupted_and_so_can_what_they_start(grader: Run) -> None:
    assert _said(grader("print(runner.call(made.interruptible, 0))")) == "True\n"


def test_ctrl_c_while_workers_get_ready_is_left_to_the_grader(grader: Run, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    opened = os.open(gate, os.O_RDWR)
    ready = f"print('begun', flush=True); os.read(os.open({str(gate)!r}, os.O_RDONLY), 1)"
    started = grader("print(runner.call(made.interruptible, 0))", ready)
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n"
    (maker,) = (child for child in psutil.Process(started.pid).children() if "forkserver" in " ".join(child.cmdline()))
    maker.send_signal(signal.SIGINT)  # as a terminal sends it to both
    os.write(opened, b"!")
    assert _said(started) == "True\n"
    os.close(opened)


def test_it_ends_with_a_grader_that_is_killed_while_it_gets_ready(grader: Run, gone: Any) -> None:
    started = grader("runner.call(made.interruptible, 0)", "print(os.getpid(), flush=True); time.sleep(600)")
    assert started.stdout is not None
    maker = psutil.Process(int(started.stdout.readline()))
    started.kill()
    started.wait()
    gone(maker)
    started.stdout.close()


def _said(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return said
