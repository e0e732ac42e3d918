"""Workers forked from a child of the host: nothing but haste tells them from those of a process of the grader's own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.host import client

pytestmark = pytest.mark.slow
GRADER = """
import os, sys
from multiprocessing import forkserver
from harness.host import stand_in
from harness.runners.contract import Task
from harness.runners.local import LocalRunner
import made

if __name__ == "__main__":
    runner = LocalRunner(2, stand_in.ask if sys.argv[1] == "host" else None)
    runner.prepare(made.ready, "a", "b")
    {body}
"""
MADE = """
import gc, json, locale, os, signal, sys, threading, time
from pathlib import Path

MADE = []

def ready(*words):
    seen, json.left = getattr(json, "left", None), "by a run"
    MADE.append([os.getpid(), seen, *words])
    {ready}

def about(_):
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    umask = os.umask(0)
    opened = {{}}
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            opened[number] = os.readlink(f"/proc/self/fd/{{number}}").partition("[")[0], os.get_inheritable(number)
        except OSError:
            pass  # of the folder that was just listed
    return {{
        "made": [words[2:] for words in MADE],
        "seen": [words[1] for words in MADE],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": umask,
        "path": sys.path,
        "argv": sys.argv[:1],
        "blocked": sorted(mask),
        "handlers": {{int(n): str(signal.getsignal(n)).partition(" at ")[0] for n in signal.valid_signals()}},
        "opened": opened,
        "flags": str(sys.flags).partition("safe_path")[0],  # says no more than sys.path does
        "main": str(sys.modules["__main__"].__dict__.get("__file__")),
        "threads": threading.active_count(),
        "locale": locale.setlocale(locale.LC_ALL),
        "collecting": gc.isenabled(),
        "printed": [sys.stdout.encoding, sys.stderr.errors, sys.stdout.line_buffering],
    }}

def who(_):
    return os.getpid(), os.getppid()

def fork(_):
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
    child = os.fork()
    if child == 0:
        for number in opened:
            os.fstat(number)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def hang(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)
"""
ABOUT = "import json; print(json.dumps(runner.call(made.about, 0)))"
WHO = """print(*runner.call(made.who, 0), forkserver._forkserver._forkserver_pid, flush=True)
    sys.stdin.readline()
    print(*runner.call(made.who, 0), forkserver._forkserver._forkserver_pid, flush=True)"""


@pytest.fixture
def grader(student: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a grader whose workers come from the host, or from a process of its own, and that runs `body`."""

    def start(
        body: str, *, by: str = "host", ready: str = "pass", options: tuple[str, ...] = (sys.executable,)
    ) -> subprocess.Popen[str]:
        (student.work / "made.py").write_text(MADE.format(ready=ready), encoding="utf-8")
        script = student.work / "grader.py"
        script.write_text(GRADER.format(body=body), encoding="utf-8")
        return subprocess.Popen(
            [*options, script, by], text=True, cwd=student.work,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**student.environment, "PYTHONPATH": path_of(student), "LEFT": "here"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in the background it is ignored
        )  # fmt: skip

    yield start
    for left in Path(student.environment["TMPDIR"]).glob("pymp-*"):  # by multiprocessing in a grader that was killed
        shutil.rmtree(left)


def path_of(student: Any) -> str:
    """Where graders find what they call."""
    return os.pathsep.join([str(student.work), *sys.path])


def said(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return out


@pytest.fixture
def host(student: Any) -> psutil.Process:
    """One that would be asked by these graders."""
    with pytest.MonkeyPatch.context() as patch:  # what Python reads when it starts is part of what a host is
        patch.setitem(student.environment, "PYTHONPATH", path_of(student))
        return psutil.Process(student.start_host())


def test_a_worker_of_the_host_is_like_any_other(grader: Any, host: psutil.Process) -> None:
    alone, served = (json.loads(said(grader(ABOUT, by=by))) for by in ("alone", "host"))
    assert served == alone
    assert alone["made"] == [["a", "b"]]
    assert alone["environment"]["LEFT"] == "here"


def test_workers_come_from_a_child_of_the_host(grader: Any, host: psutil.Process, gone: Any) -> None:
    running = grader(WHO)
    _, parent, waiting = map(int, running.stdout.readline().split())
    assert parent != waiting
    assert psutil.Process(parent).parent() == host
    assert not psutil.Process(waiting).children()
    _, again, _ = map(int, running.communicate("\n", timeout=60)[0].split())
    assert again == parent
    gone(parent, waiting)
    assert host.is_running()


def test_what_a_worker_forks_keeps_the_workers_files(grader: Any, host: psutil.Process) -> None:
    assert said(grader("print(runner.call(made.fork, 0))")) == "7\n"


def test_nothing_of_a_run_reaches_the_next(grader: Any, host: psutil.Process) -> None:
    both = [json.loads(said(grader(ABOUT))) for _ in range(2)]
    assert [one["seen"] for one in both] == [[None], [None]]


@pytest.mark.parametrize(
    "options",
    [
        (sys.executable, "-O"),
        (sys.executable, "-W", "ignore"),
        (sys.executable, "-X", "faulthandler"),
        ("nice", "-n", "3", sys.executable),
        ("prlimit", "--nofile=500:500", sys.executable),
        ("sh", "-c", 'exec "$@" 5</etc/passwd', "sh", sys.executable),
    ],
    ids=str,
)
def test_what_cannot_be_taken_over_is_done_without_the_host(
    grader: Any, host: psutil.Process, options: tuple[str, ...]
) -> None:
    running = grader(WHO, options=options)
    _, parent, waiting = map(int, running.stdout.readline().split())
    running.communicate("\n", timeout=60)
    by_host = "/etc/passwd" in str(options)  # a file that the grader has open is no hindrance, and reaches no worker
    assert (parent != waiting) is by_host
    assert running.returncode == 0


@pytest.mark.parametrize(
    ("ready", "by_host"),
    [
        ("threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", False),
        ("os._exit(3) if os.getppid() == {host} else None", False),
        ("os.kill(os.getpid(), 9) if os.getppid() == {host} else None", False),
        ("raise ValueError('broken')", True),
    ],
    ids=["leaves a thread", "ends", "is killed", "fails"],
)
def test_what_cannot_be_made_ready_by_the_host_is_left_to_the_grader(
    grader: Any, host: psutil.Process, ready: str, by_host: bool
) -> None:
    running = grader(WHO, ready=ready.format(host=host.pid))
    _, parent, waiting = map(int, running.stdout.readline().split())
    running.communicate("\n", timeout=60)
    assert (parent != waiting) is by_host


@pytest.mark.parametrize("which", ["parent", "waiting"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_either_ends_with_the_other_and_the_run_goes_on(
    grader: Any, host: psutil.Process, which: str, number: signal.Signals, gone: Any
) -> None:
    running = grader(WHO)
    _, parent, waiting = map(int, running.stdout.readline().split())
    os.kill({"parent": parent, "waiting": waiting}[which], number)
    gone(parent, waiting)
    out, err = running.communicate("\n", timeout=60)
    _, again, successor = map(int, out.split())
    assert again == successor not in {parent, waiting}
    assert (running.returncode, err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=str)
def test_all_end_with_the_grader(
    grader: Any, host: psutil.Process, tmp_path: Path, number: signal.Signals, gone: Any
) -> None:
    workers = tmp_path / "workers"
    workers.mkdir()
    before = set(psutil.Process().children(recursive=True))
    running = grader(f"list(runner.run(made.hang, [Task({str(workers)!r}, 600)] * 2))")
    until(lambda: len(list(workers.iterdir())) == 2)
    started = set(psutil.Process().children(recursive=True)) - before
    assert len(started) >= 5  # the grader, who waits, the stand-in, two workers
    running.send_signal(number)
    running.communicate(timeout=60)
    gone(*started)
    assert host.is_running()


def test_a_stand_in_ends_with_a_grader_that_is_killed_while_it_gets_ready(
    grader: Any, host: psutil.Process, tmp_path: Path, gone: Any
) -> None:
    told = tmp_path / "told"
    running = grader(
        "runner.call(made.who, 0)", ready=f"Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(600)"
    )
    until(lambda: told.exists() and told.read_text())
    [stand_in] = host.children()
    assert told.read_text() == str(stand_in.pid)
    running.kill()
    running.communicate()
    gone(stand_in)


@pytest.mark.parametrize("how", ["killed", "frozen", "stopped"])
def test_the_hosts_own_end_is_not_the_workers(
    grader: Any, host: psutil.Process, student: Any, how: str, gone: Any
) -> None:
    running = grader(WHO)
    _, parent, _ = map(int, running.stdout.readline().split())
    if how == "stopped":
        client.stop()
    else:
        host.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    out, err = running.communicate("\n", timeout=60)
    assert (int(out.split()[1]), running.returncode, err) == (parent, 0, "")
    gone(parent)


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
