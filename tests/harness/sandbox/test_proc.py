"""What /proc says about processes of our own."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

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


def test_processor_time_between_two_readings_is_that_of_the_program():
    code = (
        "import sys, time\nfor line in sys.stdin:\n  began = time.process_time()\n"
        "  while time.process_time() < began + 0.05: pass\n  print(time.process_time() - began, flush=True)"
    )
    with subprocess.Popen(
        ["sh", "-c", '"$@"; :', "sh", sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as busy:
        tree = proc.Tree(busy.pid)  # not this process's own: other tests may have children of it at work
        busy.stdin.write("\n")
        busy.stdin.flush()
        busy.stdout.readline()  # it has started
        before = tree.cpu()
        busy.stdin.write("\n")
        busy.stdin.flush()
        own_s = float(busy.stdout.readline())
        after = tree.cpu()
        busy.stdin.close()
    assert own_s <= after.cpu_s - before.cpu_s <= own_s + 0.01
    assert after.waited_s >= before.waited_s


def test_threads_that_wait_for_a_processor_are_told():
    code = "import time\nprint(flush=True)\nwhile True: pass"
    mine = min(os.sched_getaffinity(0))
    with ExitStack() as ending:
        busy = []
        for _ in range(2):
            one = ending.enter_context(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE))
            ending.callback(one.kill)
            os.sched_setaffinity(one.pid, {mine})
            one.stdout.readline()
            busy.append(one)
        before = proc.run_queue_delay(busy[0].pid)
        deadline = time.monotonic() + 20
        while proc.run_queue_delay(busy[0].pid) < before + 0.02 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert proc.run_queue_delay(busy[0].pid) >= before + 0.02


PEAKS = """
import os, sys
for line in sys.stdin:
    held = bytearray(b"x") * (int(line) << 20)
    del held
    print("done", flush=True)
"""


def test_a_peak_is_seen_however_short_and_only_once():
    with subprocess.Popen(
        [sys.executable, "-c", PEAKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        peaks = []
        for mebibytes in (0, 0, 64, 8, 0):
            child.stdin.write(f"{mebibytes}\n")
            child.stdout.readline()
            peaks.append(proc.take_peak(child.pid))
        child.stdin.close()
    held = [(peak - peaks[1]) / MIB for peak in peaks]
    own = 1  # MiB that the interpreter itself may take or give back between two lines
    assert 64 - own < held[2] < 64 + 2 * own
    assert 8 - own < held[3] < 8 + 2 * own
    assert abs(held[4]) < own


def test_the_peaks_of_a_tree_are_added_and_its_root_is_ours(family):
    tree = proc.Tree(os.getpid())
    tree.take_peak()
    assert tree.take_peak() >= 80 * MIB  # 32 shared, counted in each, and 16
    assert proc.Tree(family.pid).take_peak() < 60 * MIB


def test_where_the_mark_cannot_be_set_back_no_peak_is_told(family, monkeypatch):
    def refuse(pid):
        raise PermissionError(pid)

    monkeypatch.setattr(proc, "take_peak", refuse)
    assert proc.Tree(os.getpid()).take_peak() == 0
