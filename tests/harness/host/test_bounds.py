"""Who is held by the same limits: a pure rule, and what Linux says of real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.host import bounds
from harness.host.bounds import Bounds

USER, ONE, OTHER = (Path("/sys/fs/cgroup/user", name) for name in (".", "one.scope", "other.scope"))
FREE = Bounds(("nice 0",), {})


def held(**groups: dict[str, str]) -> Bounds:
    """In groups with limits."""
    places = {"user": USER, "one": ONE, "other": OTHER}
    return replace(FREE, groups={places[name]: limits for name, limits in groups.items()})


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (FREE, FREE, True),
        (FREE, Bounds(("nice 5",), {}), False),
        (held(user={"memory.max": "1"}), held(user={"memory.max": "1"}), True),
        (held(one={"memory.max": "1"}), FREE, False),
        (held(one={"memory.max": "1"}), held(other={"memory.max": "1"}), False),
        (held(user={"memory.max": "9"}, one={"cpu.max": "1 2"}), held(user={"memory.max": "9"}), False),
        (held(one={"pids.max": "9"}), held(other={"pids.max": "9"}), True),
        (held(one={"pids.max": "9"}), held(other={"pids.max": "8"}), False),
        (held(one={"pids.max": "9"}), FREE, False),
        (held(one={"pids.max": "9", "memory.max": "1"}), held(other={"pids.max": "9"}), False),
    ],
)
def test_what_is_forked_must_be_held_by_the_same(one: Bounds, other: Bounds, alike: bool) -> None:
    assert bounds.alike(one, other) is alike
    assert bounds.alike(other, one) is alike


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Where /proc is the real one, but for the groups of process 7, which are as the test writes them."""
    process = tmp_path / "proc/7"
    process.mkdir(parents=True)
    for name in ("status", "stat", "limits", "oom_score_adj", "ns", "root"):
        (process / name).symlink_to(f"/proc/self/{name}")
    return tmp_path


@pytest.mark.parametrize(
    ("cgroup", "files", "limits"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/b/cpu.max": "max 100000", "a/b/pids.max": "max"}, {}),
        ("0::/a/b\n", {"a/b/io.max": "", "a/memory.high": "max"}, {}),
        (
            "0::/a/b\n",
            {"a/b/memory.max": "9", "a/cpu.max": "5 9"},
            {"a/b": {"memory.max": "9"}, "a": {"cpu.max": "5 9"}},
        ),
        ("0::/a\n", {"a/io.max": "8:0 rbps=1"}, {"a": {"io.max": "8:0 rbps=1"}}),
        (
            "4:memory:/x\n3:cpu,cpuacct:/x\n1:name=systemd:/x\n",
            {"memory/x/memory.limit_in_bytes": "9223372036854771712", "cpu/x/cpu.cfs_quota_us": "-1"},
            {},
        ),
        (
            "4:memory:/x\n3:cpuacct,cpu:/x\n",
            {"memory/x/memory.limit_in_bytes": "4096", "cpu/x/cpu.cfs_quota_us": "5000"},
            {"memory/x": {"memory.limit_in_bytes": "4096"}, "cpu/x": {"cpu.cfs_quota_us": "5000"}},
        ),
    ],
)  # fmt: skip
def test_only_groups_with_limits_count(
    machine: Path, cgroup: str, files: dict[str, str], limits: dict[str, dict[str, str]]
) -> None:
    (machine / "proc/7/cgroup").write_text(cgroup)
    for name, text in files.items():
        path = machine / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    found = bounds.of(7, machine).groups
    assert {str(group.relative_to(machine / "sys/fs/cgroup")): dict(each) for group, each in found.items()} == limits


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.communicate(b"")


def under(started: list[subprocess.Popen[bytes]], command: Sequence[str]) -> Bounds:
    """What holds a process that was started by `command`."""
    ready = ["-c", "import sys; print(flush=True); sys.stdin.read()"]
    process = subprocess.Popen([*command, sys.executable, *ready], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(process)
    assert process.stdout is not None
    process.stdout.readline()
    return bounds.of(process.pid)


@pytest.mark.parametrize(
    "command",
    [
        ["nice", "-n", "3"],
        pytest.param(
            ["taskset", "-c", str(min(os.sched_getaffinity(0)))],
            marks=pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="needs two processors"),
        ),
        ["prlimit", "--nofile=500:500"],
        ["sh", "-c", 'ulimit -v 10000000; exec "$@"', "sh"],
        ["setpriv", "--no-new-privs"],
        ["chrt", "--batch", "0"],
        ["choom", "-n", "500", "--"],
        ["unshare", "--user", "--map-root-user", "--net"],
    ],
    ids=lambda command: command[0],
)
def test_tighter_limits_are_seen(started: list[subprocess.Popen[bytes]], command: list[str]) -> None:
    free = under(started, [])
    assert bounds.alike(free, bounds.of(os.getpid()))
    assert not bounds.alike(free, under(started, command))
