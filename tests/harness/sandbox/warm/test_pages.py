"""Huge pages for a process that is about to fork: where memory is in use and nowhere else; nothing in it changes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from family import Family

from harness.sandbox.warm import pages

PAGE = os.sysconf("SC_PAGE_SIZE")
HUGE = PAGE * (PAGE // pages.ENTRY_BYTES)
FULL, SPARSE = 4, 4  # huge pages of memory that is in use, and of memory hardly in use
KIB = 1024

pytestmark = pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").is_dir(), reason="this Linux was built without huge pages"
)

# A process of its own: one thread, and nothing in it but Python and the memory in question
MOVED = f"""
import ctypes, hashlib, importlib.util, json, mmap, sys
PR_SET_THP_DISABLE = 41  # else a system that always makes huge pages would make them here
spec = importlib.util.spec_from_file_location("pages", sys.argv[1])
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)
def facts():
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    text = open("/proc/self/smaps").read().partition(f"{{begin:x}}-")[2].splitlines()[1:]
    values = dict(line.split(":") for line in text[:20])
    return {{name: int(values[name].split()[0]) * {KIB} for name in ("Rss", "AnonHugePages")}}
prctl = ctypes.CDLL(None).prctl
prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
memory = mmap.mmap(-1, {(FULL + SPARSE + 1) * HUGE}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
first = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % {HUGE}
for place in range(first, first + {FULL * HUGE}, {PAGE}):
    memory[place : place + 8] = place.to_bytes(8, "little")
for place in range(first + {FULL * HUGE}, first + {(FULL + SPARSE) * HUGE}, {4 * PAGE}):
    memory[place] = 1
prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
before = facts()
pages.collapse()
same = all(int.from_bytes(memory[n : n + 8], "little") == n for n in range(first, first + {FULL * HUGE}, {PAGE}))
print(json.dumps([before, facts(), same]))
"""
HOLDS = f"""
kept = []
def prepare(settings): kept.append(b"x" * {8 * HUGE})
"""


def test_what_is_in_use_moves_and_the_rest_stays_as_it_is() -> None:
    line = [sys.executable, "-I", "-S", "-c", MOVED, pages.__file__]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    before, after, same = json.loads(done.stdout)
    assert before["AnonHugePages"] == 0
    assert after == {"Rss": before["Rss"], "AnonHugePages": FULL * HUGE}
    assert same


def test_a_fork_server_is_ready_to_be_forked(begun: Callable[..., Family]) -> None:
    family = begun(HOLDS)
    family.server.wait()
    server = family.layers()[0]
    assert huge_bytes(server) >= 7 * HUGE  # of eight, which begin anywhere


def test_what_a_program_writes_to_is_copied_in_small_pages(begun: Callable[..., Family]) -> None:
    family = begun(HOLDS)
    family.server.wait()
    program = family.waiting()
    assert huge_bytes(program.pid) >= 7 * HUGE
    assert private_bytes(program.pid) < HUGE


def test_old_systems_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MADV_COLLAPSE", 1000)  # as unknown as 25 was before Linux 6.1
    assert pages.collapse() == 0


def huge_bytes(pid: int) -> int:
    return _sum(pid, "AnonHugePages")


def private_bytes(pid: int) -> int:
    return _sum(pid, "Private_Dirty")


def _sum(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return KIB * sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
