"""The start script, run as sandboxes run it but in none: its files in a folder, a handshake, a program."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from base64 import b64encode

import pytest

from harness.sandbox import landlock
from harness.sandbox.inside import ISOLATED, START, start_files
from harness.sandbox.syscalls import seccomp_filter

PATIENCE_S = 60
LETS_GO, ENDS = b"!", b""  # what the grader says, and what is left of it when it dies
needs_landlock = pytest.mark.skipif(landlock.version() < landlock.OLDEST, reason="this Linux offers no Landlock")


@pytest.fixture
def start(tmp_path):
    """Runs `code` through the start script; what it printed to the error stream, as JSON, and how it ended."""
    for name, content in start_files().items():
        (tmp_path / name).write_bytes(content)

    def run(code, *arguments, answer=LETS_GO, before=None, **settings):
        (tmp_path / "main.py").write_text(f"import json, os, sys\n{code}")
        told = {"limits": {}, "path": [str(tmp_path), "/packages"], **settings}
        outside, inside = socket.socketpair()
        with outside, inside:
            told["handshake"] = inside.fileno()
            process = subprocess.Popen(
                [sys.executable, *ISOLATED, tmp_path / START, json.dumps(told), tmp_path / "main.py", *arguments],
                stderr=subprocess.PIPE,
                pass_fds=(inside.fileno(),),
                preexec_fn=before,
                text=True,
            )
            inside.close()
            outside.settimeout(PATIENCE_S)
            asked = outside.recv(1)
            if asked:
                outside.send(answer)
            outside.close()
            _, words = process.communicate(timeout=PATIENCE_S)
        return asked, process.returncode, words

    return run


@pytest.fixture
def said(start):
    """Of a program that is let go."""

    def run(code, *arguments, **given):
        asked, status, words = start(f"{code}\nprint(json.dumps(said), file=sys.stderr)", *arguments, **given)
        assert (asked, status) == (b"?", 0), words
        return json.loads(words)

    return run


def test_the_program_runs_as_a_script_with_its_arguments(said, tmp_path):
    assert said("said = [__name__, *sys.argv]", "a", "b") == ["__main__", str(tmp_path / "main.py"), "a", "b"]


def test_nothing_runs_before_it_is_let_go(start, tmp_path):
    assert start("open(sys.argv[1], 'w')", str(tmp_path / "done"), answer=b"x")[:2] == (b"?", 1)
    assert start("open(sys.argv[1], 'w')", str(tmp_path / "done"), answer=ENDS)[:2] == (b"?", 1)
    assert not (tmp_path / "done").exists()


def test_no_descriptor_is_left(said):
    code = "said = sorted(int(name) for name in os.listdir('/proc/self/fd'))[:-1]"  # the last one reads the folder
    walls = {"landlock": {"readable": ["/"], "writable": ["/tmp"], "devices": ["/dev"]}}
    assert said(code, **walls, seccomp=b64encode(seccomp_filter()).decode()) == [0, 1, 2]


def test_input_and_output_are_the_null_device_of_the_sandbox(said):
    code = "null = os.stat('/dev/null'); said = [os.path.samestat(os.fstat(each), null) for each in (0, 1)]"
    assert said(code) == [True, True]


def test_where_modules_come_from(said, tmp_path):
    path = said("import re; said = sys.path")
    assert path[0] == str(tmp_path)
    assert path[-1] == "/packages"
    assert len(path) == len(set(path)) > 2


def test_a_process_may_be_confined_twice(said, tmp_path):
    code = "import _start; _start.confine(json.loads(sys.argv[1])); said = sys.path"
    once = said("said = sys.path")
    assert said(code, json.dumps({"limits": {}, "path": [str(tmp_path), "/packages"]})) == once


def test_limits_are_set_and_never_raised(said):
    soft = min(64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    code = (
        "import resource; said = [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)]"
    )
    limits = {"RLIMIT_NOFILE": 10 * soft, "RLIMIT_CORE": 0}
    before = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))  # noqa: E731
    assert said(code, limits=limits, before=before) == [[soft, soft], [0, 0]]


def test_interrupts_arrive_whatever_the_shell_ignored(said):
    def deaf():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    code = """
import signal
said = [sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))]
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    said.append("interrupted")
"""
    assert said(code, before=deaf) == [[], "interrupted"]


def test_other_small_things(said):
    code = "said = [os.umask(0), exit.name, quit.name, open('/proc/self/oom_score_adj').read()]"
    assert said(code, before=lambda: os.umask(0o077)) == [0o022, "exit", "quit", "1000\n"]


@needs_landlock
def test_landlock_where_it_is_asked_for(said, tmp_path):
    code = """
def refused(path):
    try:
        open(path, "w").close()
    except PermissionError:
        return True
    return False
said = [refused(path) for path in sys.argv[1:]]
"""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    files = [str(tmp_path / "mine/x"), str(tmp_path / "other/x")]
    walls = {"readable": ["/"], "writable": [str(tmp_path / "mine")], "devices": ["/dev"]}
    assert said(code, *files) == [False, False]
    assert said(code, *files, landlock=walls) == [False, True]


def test_a_filter_where_it_is_asked_for(said):
    code = "import ctypes; said = [ctypes.CDLL(None).memfd_create(b'x', 0) < 0, open('/proc/self/status').read()]"
    refused, status = said(code, seccomp=b64encode(seccomp_filter()).decode())
    assert refused
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    refused, status = said(code)
    assert not refused
    assert "Seccomp:\t2" not in status


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"seccomp": b64encode(bytes(8)).decode()}, "seccomp: Invalid argument"),
        pytest.param(
            {"landlock": {"readable": ["/none"], "writable": [], "devices": []}}, "/none", marks=needs_landlock
        ),
        ({"limits": {"RLIMIT_NONE": 1}}, "RLIMIT_NONE"),
    ],
)
def test_what_cannot_be_confined_does_not_run(start, settings, problem):
    asked, status, words = start("print('it ran', file=sys.stderr)", **settings)
    assert asked == b""
    assert status != 0
    assert problem in words
    assert "it ran" not in words
