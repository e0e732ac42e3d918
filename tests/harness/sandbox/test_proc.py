"""What /proc says about processes of our own."""

import os
import subprocess
import sys
import time

import pytest

from harness.sandbox import proc

MIB = 2**20
FAMILY = """
import os, sys
kept = bytearray(os.urandom(32 << 20))
if os.fork() == 0:
    own = bytearray(os.urandom(16 << 20))
    print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family():
    """A process with one child, which shares 32 MiB with it and has 16 MiB of its own."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        yield parent


def test_walk_finds_the_whole_tree(family):
    assert [tasks for _, tasks in proc.walk(family.pid)] == [1, 1]
    assert next(proc.walk(family.pid))[0] == family.pid


def test_children(family):
    assert len(proc.children(family.pid)) == 1


def test_a_look_leaves_the_root_out(family):
    look = proc.Tree(family.pid).look()
    assert look.processes == tuple(proc.children(family.pid))
    assert look.threads == 1


def test_memory_shared_by_a_fork_is_divided(family):
    child = proc.children(family.pid)[0]
    assert proc.resident_bytes(child) >= 48 * MIB
    assert 32 * MIB <= proc.proportional_bytes(child) < proc.resident_bytes(child) - 12 * MIB


def test_cpu_time_of_a_child_that_is_gone_is_kept():
    code = "while True: pass"
    tree = proc.Tree(os.getpid())
    before = tree.look().cpu_s
    with subprocess.Popen([sys.executable, "-c", code]) as busy:
        while tree.look().cpu_s < before + 0.1:
            time.sleep(0.01)
        busy.kill()
    tick_s = 1 / proc.TICKS_PER_S  # Linux rounds the time of children that have been waited for
    assert tree.look().cpu_s >= before + 0.1 - 2 * tick_s


def test_a_process_that_is_gone_is_no_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    assert list(proc.walk(gone.pid)) == []
    assert proc.children(gone.pid) == []
    assert proc.Tree(gone.pid).look() == proc.Look(0.0, 0, 0, ())
