"""What a process has started around a sandbox ends with it, whatever state that is in."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

import harness
from harness.sandbox.group import Group

PATIENCE_S = 30.0
SLEEPS = "sleep 600 & echo $$ $!; wait"  # two processes, and what they are


def member(group: Group, code: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A shell in `group`, and the numbers that it tells."""
    process = subprocess.Popen(["/bin/sh", "-c", code], stdout=subprocess.PIPE, text=True, process_group=group.number)
    assert process.stdout is not None
    return process, [int(number) for number in process.stdout.readline().split()]


def maker(code: str) -> subprocess.Popen[str]:
    """Another Python that runs `code`."""
    search = os.pathsep.join([str(Path(harness.__file__).parent.parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": search},
    )  # fmt: skip


@pytest.fixture
def group():
    group = Group()
    yield group
    group.end()


def test_every_member_ends_at_the_end(group, gone):
    shell, numbers = member(group, SLEEPS)
    with shell:
        group.end()
        gone(*numbers)
    assert shell.returncode == -signal.SIGKILL


def test_a_frozen_member_too(group, gone):
    shell, numbers = member(group, SLEEPS)
    with shell:
        for number in numbers:
            os.kill(number, signal.SIGSTOP)
        group.end()
        gone(*numbers)


def test_nobody_else_ends():
    first, second = Group(), Group()
    shell, numbers = member(second, SLEEPS)
    with shell:
        first.end()
        first.end()  # its number may be another's by now
        assert all(psutil.pid_exists(number) for number in numbers)
        assert shell.poll() is None
        second.end()


def test_an_empty_group_ends():
    group = Group()
    group.end()
    assert not psutil.pid_exists(group.number)
    with pytest.raises(PermissionError):  # there is no such group any more to be in
        subprocess.Popen(["/bin/true"], process_group=group.number)


def test_members_end_with_a_maker_that_is_killed(gone):
    with maker(
        f"""
        import subprocess, time
        from harness.sandbox.group import Group

        group = Group()
        subprocess.Popen(["/bin/sh", "-c", {SLEEPS!r}], process_group=group.number)
        time.sleep(600)
        """
    ) as killed:
        numbers = [int(number) for number in killed.stdout.readline().split()]
        killed.kill()
    assert len(numbers) == 2
    gone(*numbers)


def test_a_bubblewrap_that_was_only_beginning_ends_with_the_grader(tmp_path, gone):
    """One that has not yet asked for the signal of its parent's death, and a child that waits for it."""
    begins = tmp_path / "_bin" / "bwrap"
    begins.parent.mkdir()
    begins.write_text(
        f"#!/bin/sh\nsleep 600 & echo $$ $! > {tmp_path}/written; mv {tmp_path}/written {tmp_path}/told; wait\n"
    )
    begins.chmod(0o755)
    with maker(
        f"""
        from pathlib import Path
        from harness.course import Limits
        from harness.sandbox import bubblewrap
        from harness.sandbox.contract import Program

        bubblewrap.find_bubblewrap = lambda: Path({str(begins)!r})
        bubblewrap.Bubblewrap().start(Program("x.py", (), {{"x.py": b""}}, {{}}, (), Limits()))
        """
    ) as grader:
        until = time.monotonic() + PATIENCE_S
        while not (tmp_path / "told").exists() and time.monotonic() < until:
            time.sleep(0.01)
        numbers = [int(number) for number in (tmp_path / "told").read_text().split()]
        grader.kill()
    assert len(numbers) == 2
    gone(*numbers)
