"""A command that hands itself over: its stand-in cannot be told from it, and what reaches the one reaches the other."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.slow
HERE = 99  # the exit code of a command that nobody stands in for, and that does nothing then
# Does it by a stand-in or, if told so, by itself
COMMAND = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's children ignore it
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # and this
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and this, after nohup
{before}
how = sys.argv.pop(1)
if how == "alone":
    import made
    sys.exit(made.{main}())
from harness.errors import BaremeError
from harness.host import ask, command
try:
    sys.exit(command.by_stand_in(("made", {main!r})))
except ask.NotServed:
    sys.exit({here})
except BaremeError as error:
    sys.exit(f"{{error.exit_code:d}}: {{error}}")
"""
MADE = """
import json, locale, os, signal, sys, threading, time
from pathlib import Path

def stream(number, name):
    it = getattr(sys, name)
    return [
        it.encoding, it.errors, it.line_buffering, it.write_through, type(it.buffer).__name__, it.isatty(),
        os.fstat(number).st_ino, it is getattr(sys, "__" + name + "__"),
    ]

def about():
    umask = os.umask(0)
    opened = {}
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            opened[number] = os.readlink(f"/proc/self/fd/{number}").partition("[")[0], os.get_inheritable(number)
        except OSError:
            pass  # of the folder that was just listed
    print(json.dumps({
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": umask,
        "path": sys.path,
        "argv": sys.argv,
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "handlers": {int(n): str(signal.getsignal(n)).partition(" at ")[0] for n in signal.valid_signals()},
        "opened": opened,
        "flags": str(sys.flags).partition("safe_path")[0],  # says no more than sys.path does
        "threads": threading.active_count(),
        "locale": locale.setlocale(locale.LC_ALL),
        "streams": [stream(1, "stdout"), stream(2, "stderr")],
        "session": "command" in sys.modules["__main__"].__dict__,
    }))

def ends():
    print("printed", flush=False)
    sys.stderr.write("told")
    {ends}

def waits():
    signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"SIGTERM\\n"))  # it may interrupt a print
    try:
        print(os.getpid(), os.getppid(), flush=True)
        for _ in range(6000):
            time.sleep(0.01)
    except KeyboardInterrupt:
        print("SIGINT", flush=True)
        sys.exit(7)

def counts():
    print(os.getpid(), flush=True)
    while True:
        time.sleep(0.01)
        print(".", flush=True)
"""


@pytest.fixture
def begin(student: Any) -> Callable[..., Any]:
    """Start a command whose work is `main` of the module that is written here."""

    def start(
        main: str, *arguments: str, how: str = "by stand-in", ends: str = "pass", before: str = "",
        options: tuple[str, ...] = (sys.executable,), start: Callable[..., Any] = subprocess.Popen, **more: Any,
    ) -> Any:  # fmt: skip
        (student.work / "made.py").write_text(MADE.replace("{ends}", ends), encoding="utf-8")
        line = [*options, "-c", COMMAND.format(main=main, before=before, here=HERE), how, *arguments]
        environment = {**student.environment, "PYTHONPATH": path_of(student), "LEFT": "here"}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return start(line, **{**pipes, "text": True, "cwd": student.work, "env": environment, **more})

    student.environment.pop("PYTHONUNBUFFERED", None)
    return start


def path_of(student: Any) -> str:
    return os.pathsep.join([str(student.work), *sys.path])


@pytest.fixture
def host(student: Any, begin: Any, monkeypatch: pytest.MonkeyPatch) -> psutil.Process:
    """One that would be asked by these commands."""
    monkeypatch.setitem(student.environment, "PYTHONPATH", path_of(student))  # Python reads it when it starts
    return psutil.Process(student.start_host())


def both(begin: Callable[..., Any], *given: str, **more: Any) -> tuple[tuple[str, str, int], ...]:
    """What is printed, and the exit code: done by itself, and by a stand-in."""
    done = []
    for how in ("alone", "by stand-in"):
        command = begin(*given, how=how, **more)
        done.append((*command.communicate(timeout=60), command.returncode))
    return tuple(done)


def test_it_is_like_the_command(begin: Any, host: psutil.Process, tmp_path: Path) -> None:
    with (tmp_path / "more").open("w") as more:
        os.set_inheritable(more.fileno(), True)
        alone, served = (json.loads(said) for said, _, _ in both(begin, "about", "a", "ü", close_fds=False, umask=0o27))
    ours = {number: one for number, one in served["opened"].items() if number not in alone["opened"]}
    assert [place for place, _ in ours.values()] == ["socket:", "socket:"]
    assert not any(inheritable for _, inheritable in ours.values())
    for facts in (alone, served):
        for number in (*ours, "0", "1", "2"):  # pipes of its own
            facts["opened"].pop(number, None)
        for stream in facts["streams"]:
            stream.pop(6)
        facts.pop("session")
    assert served == alone
    assert str(tmp_path / "more") in str(alone["opened"])
    assert (alone["umask"], alone["argv"]) == (0o27, ["-c", "a", "ü"])


@pytest.mark.parametrize("options", [("-u",), ("-X", "utf8=0")], ids=str)
def test_it_prints_as_the_command_does(
    begin: Any, student: Any, host: psutil.Process, options: tuple[str, ...]
) -> None:
    command = begin("about", options=(sys.executable, *options))
    said, err = command.communicate(timeout=60)
    if options == ("-u",):
        assert json.loads(said)["streams"][0][3:5] == [True, "FileIO"]
    else:
        assert (said, err, command.returncode) == ("", "", HERE)  # the host was started otherwise


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("pass", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('because')", 1),
        ("raise ValueError('broken')", 1),
        ("import atexit; atexit.register(print, 'at last')", 0),
        ("import weakref; sys.kept = type('Kept', (), {})(); weakref.finalize(sys.kept, print, 'at last')", 0),
    ],
)
def test_it_ends_as_the_command_does(begin: Any, host: psutil.Process, ends: str, code: int) -> None:
    (out, err, alone), (out_served, err_served, served) = both(begin, "ends", ends=ends)
    assert (out_served, served) == (out, alone)
    assert served == code
    assert err_served.splitlines()[-1] == err.splitlines()[-1]
    assert out.startswith("printed\n")


@pytest.mark.parametrize("ends", ["pass", "sys.stdout.flush()"], ids=["at the end", "before"])
def test_what_it_prints_cannot_be_written(begin: Any, host: psutil.Process, ends: str) -> None:
    with Path("/dev/full").open("w") as full:
        codes = [code for _, _, code in both(begin, "ends", ends=ends, stdout=full)]
    assert codes == [120, 120]


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--nothing"], [], ["none", "nowhere", "--out", "out"], ["toy", "nowhere", "--out", "out"]],
    ids=str,
)
def test_what_is_said_of_wrong_words(student: Any, host: psutil.Process, words: list[str]) -> None:
    line = [sys.executable, "-m", "harness", "grade", *words, "--course", str(student.course)]
    alone, served = (
        subprocess.run(line, capture_output=True, text=True, cwd=student.work, env={**student.environment, **more})
        for more in ({"BAREME_HOST": "0"}, {})
    )
    assert (served.stdout, served.stderr, served.returncode) == (alone.stdout, alone.stderr, alone.returncode)
    assert alone.stdout + alone.stderr


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_without_a_standard_stream_it_is_done_here(begin: Any, host: psutil.Process, stream: int) -> None:
    command = begin("about", options=("sh", "-c", f'exec "$@" {stream}>&-', "sh", sys.executable))
    command.communicate(timeout=60)
    assert command.returncode == HERE
    assert host.is_running()


def test_without_a_host_it_is_done_here(begin: Any) -> None:
    command = begin("about")
    assert (*command.communicate(timeout=60), command.returncode) == ("", "", HERE)


@pytest.mark.parametrize("options", [("nice", "-n", "3"), ("prlimit", "--nofile=500:500")], ids=str)
def test_held_by_other_limits_it_is_done_here(begin: Any, host: psutil.Process, options: tuple[str, ...]) -> None:
    command = begin("about", options=(*options, sys.executable))
    assert (*command.communicate(timeout=60), command.returncode) == ("", "", HERE)


def waiting(command: subprocess.Popen[str], host: psutil.Process) -> psutil.Process:
    """The stand-in, a child of the host's."""
    number, parent = map(int, command.stdout.readline().split())
    assert parent == host.pid
    assert number != command.pid
    until(lambda: heeds(command.pid, signal.SIGTERM))
    return psutil.Process(number)


def heeds(pid: int, number: signal.Signals) -> bool:
    """Whether the process has said what to do about the signal: until then it is ended, as any that has just begun."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> number - 1 & 1)


def test_signals_are_passed_on(begin: Any, host: psutil.Process, gone: Any) -> None:
    command = begin("waits")
    stand_in = waiting(command, host)
    for _ in range(2):
        command.send_signal(signal.SIGTERM)
        assert command.stdout.readline() == "SIGTERM\n"
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=60) == ("SIGINT\n", "")
    assert command.returncode == 7
    gone(stand_in)
    assert host.is_running()


def test_an_ignored_signal_is_ignored(begin: Any, host: psutil.Process, gone: Any) -> None:
    command = begin("waits", before="signal.signal(signal.SIGINT, signal.SIG_IGN)")
    stand_in = waiting(command, host)
    command.send_signal(signal.SIGINT)
    stand_in.send_signal(signal.SIGINT)
    command.send_signal(signal.SIGTERM)
    assert command.stdout.readline() == "SIGTERM\n"
    command.kill()
    command.communicate(timeout=60)
    gone(stand_in)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT], ids=str)
def test_what_else_ends_it_ends_both(begin: Any, host: psutil.Process, number: signal.Signals, gone: Any) -> None:
    command = begin("waits")
    stand_in = waiting(command, host)
    command.send_signal(number)
    command.communicate(timeout=60)
    assert command.returncode == -number
    gone(stand_in)
    assert host.is_running()


def test_both_rest_and_go_on(begin: Any, host: psutil.Process, gone: Any) -> None:
    command = begin("counts")
    stand_in, waits = psutil.Process(int(command.stdout.readline())), psutil.Process(command.pid)
    until(lambda: heeds(command.pid, signal.SIGTSTP))
    for _ in range(2):
        command.send_signal(signal.SIGTSTP)
        until(lambda: {stand_in.status(), waits.status()} == {psutil.STATUS_STOPPED})
        command.send_signal(signal.SIGCONT)
        until(lambda: psutil.STATUS_STOPPED not in {stand_in.status(), waits.status()})
        os.read(command.stdout.fileno(), 1 << 16)
        assert os.read(command.stdout.fileno(), 1)  # more of it
    command.kill()
    command.communicate()
    gone(stand_in)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=str)
def test_a_stand_in_that_is_ended_is_told(begin: Any, host: psutil.Process, number: signal.Signals) -> None:
    command = begin("waits")
    waiting(command, host).send_signal(number)
    _, err = command.communicate(timeout=60)
    assert err == (
        "3: the process that did the work was ended. Run the command again; --resume marks only what is left.\n"
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], ids=str)
def test_the_hosts_own_end_is_not_the_commands(
    begin: Any, host: psutil.Process, how: signal.Signals, gone: Any
) -> None:
    command = begin("waits")
    stand_in = waiting(command, host)
    host.send_signal(how)
    time.sleep(0.5)
    assert command.poll() is None
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=60) == ("SIGINT\n", "")
    assert command.returncode == 7
    gone(stand_in)


def test_ctrl_c_at_a_terminal(begin: Any, host: psutil.Process) -> None:
    """The stand-in has another session, and is told by nobody but the command; and it prints to a terminal."""
    terminal = b""

    def start(line: list[str], *, cwd: Path, env: dict[str, str], **_: Any) -> tuple[int, int]:
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(cwd)
            os.execve(line[0], line, env)
        return pid, master

    pid, master = begin("about", how="alone", start=start)
    alone = read_all(master)
    os.waitpid(pid, 0)
    pid, master = begin("about", start=start)
    served = read_all(master)
    os.waitpid(pid, 0)
    assert json.loads(served)["streams"] == json.loads(alone)["streams"]
    assert json.loads(served)["streams"][0][5]  # a terminal

    pid, master = begin("waits", start=start)
    while b"\n" not in terminal:
        terminal += os.read(master, 1000)
    until(lambda: heeds(pid, signal.SIGTERM))
    os.write(master, b"\x03")
    assert b"SIGINT" in read_all(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def read_all(master: int) -> bytes:
    """What is printed at a terminal until nobody holds it any more."""
    said = b""
    while select.select([master], [], [], 60)[0]:
        try:
            said += os.read(master, 1 << 16)
        except OSError:  # how a terminal says so
            break
    os.close(master)
    return said


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
