"""Run commands to their end and say what they took: wall time, CPU time of all their processes, peak memory.

CPU time is what Linux itself counted for a control group that the commands are put into: complete, also for processes
that nobody waited for, and for those that were started before the clock and then do part of the work. Where no control
group can be made it is not measured, and nothing else is shown in its place.
Memory is sampled from outside, which costs time: look at it in a run whose time is not used.
Not covered: what services that ran before (a database, the file system's cache) do for the commands.
"""

import ctypes
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
LOOK_EVERY_S = 0.1  # between two readings of memory
ENDING_S = 30.0  # for what a tool has left in the background to end by itself
TAIL = 3000  # characters of a failed command's output that are shown
JOIN = ("sh", "-c", 'echo $$ > "$0" && exec "$@"')  # then the file of the control group, then the command


class Failed(Exception):
    """A command did not do what it was started for; its message says which and why."""


@dataclass(frozen=True)
class Lane:
    """Commands that are run one after the other. Several lanes are run side by side."""

    commands: Sequence[Sequence[str]]
    folder: Path  # where they are started, and where their output is kept
    environment: Mapping[str, str]
    before: Sequence[Sequence[str]] = ()  # commands that are run before the clock is started; CPU time is not theirs
    after: Sequence[Sequence[str]] = ()  # commands that are run when it has been stopped


@dataclass(frozen=True)
class Usage:
    """What one run took."""

    wall_s: float  # from before the first command was started until the last had ended
    cpu_s: float | None  # user and system time of all processes; None: there was no way to know
    peak_bytes: int | None = None  # the highest sum of the processes' proportional set sizes seen; None: not looked at
    unread: int = 0  # processes whose memory we may not read, at most at one time


@dataclass(frozen=True)
class Tree:
    """The processes that were started below this one, orphans included, since the tree was made."""

    before: frozenset[int] = field(
        default_factory=lambda: frozenset(child.pid for child in psutil.Process().children())
    )

    def processes(self) -> list[psutil.Process]:
        """All that are there now."""
        found = []
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                found += [] if child.pid in self.before else [child, *child.children(recursive=True)]
        return found


@dataclass
class Memory:
    """Reads the proportional set size of every process of a tree, again and again, until told to stop."""

    tree: Tree
    peak_bytes: int = 0
    unread: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        while not self.done.wait(LOOK_EVERY_S):
            sizes = [_pss_bytes(child.pid) for child in self.tree.processes()]
            self.peak_bytes = max(self.peak_bytes, sum(size for size in sizes if size is not None))
            self.unread = max(self.unread, sizes.count(None))


def run(lanes: Sequence[Lane], *, look: bool = False) -> Usage:
    """Run all lanes to their end; `look` samples memory on the way.

    Raises:
        Failed: a command ended with another code than 0, or left a process behind.
    """
    tree = Tree()
    memory = Memory(tree)
    with _keeping_orphans(), _control_group() as group, _none_left(tree):
        for lane in lanes:
            _drive(lane, lane.before, group)
        begun_s = _cpu_s(group) if group else 0.0
        wall_s = _timed(lanes, group, memory if look else None)
        for lane in lanes:
            _drive(lane, lane.after, group)
        _wait(tree)
        cpu_s = _cpu_s(group) - begun_s if group else None
    return Usage(wall_s, cpu_s, memory.peak_bytes, memory.unread) if look else Usage(wall_s, cpu_s)


def _timed(lanes: Sequence[Lane], group: Path | None, memory: Memory | None) -> float:
    """Wall seconds until the last lane has ended."""
    with ThreadPoolExecutor(len(lanes) + 1) as threads:
        looking = threads.submit(memory.look) if memory else None
        try:
            before = time.monotonic()
            for lane in [threads.submit(_drive, lane, lane.commands, group) for lane in lanes]:
                lane.result()
            wall_s = time.monotonic() - before
        finally:
            if memory:
                memory.done.set()
        if looking:
            looking.result()
    return wall_s


def _drive(lane: Lane, commands: Sequence[Sequence[str]], group: Path | None) -> None:
    join = (*JOIN, str(group / "cgroup.procs")) if group else ()
    with (lane.folder / "commands.log").open("a+b") as log:
        for command in commands:
            ended = subprocess.run(
                [*join, *command],
                check=False,
                cwd=lane.folder,
                env=lane.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            if ended.returncode:
                log.seek(max(0, log.tell() - TAIL))
                said = log.read().decode(errors="replace")
                raise Failed(f"exit code {ended.returncode} of {' '.join(command)}\n{said}")


def _wait(tree: Tree) -> None:
    """Wait for what the commands left in the background: its CPU time counts, its wall time does not."""
    until = time.monotonic() + ENDING_S
    while left := tree.processes():
        psutil.wait_procs(left, timeout=max(0.0, until - time.monotonic()))
        if time.monotonic() > until:
            raise Failed(f"still running {ENDING_S:g} s after the command's end: {left}")


@contextmanager
def _keeping_orphans() -> Iterator[None]:
    """While it holds, orphans below us become our children: seen, and waited for."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextmanager
def _none_left(tree: Tree) -> Iterator[None]:
    """However it ends, no process of the tree outlives it."""
    try:
        yield
    finally:
        while left := tree.processes():
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left)


@contextmanager
def _control_group() -> Iterator[Path | None]:
    """A new control group below our own; None where none can be made: no version 2, or not allowed."""
    above = _own_group()
    if above is None or not os.access(above / "cgroup.procs", os.W_OK):
        yield None
        return
    try:
        group = Path(tempfile.mkdtemp(prefix="throughput-", dir=above))
    except OSError:  # a read-only mount, as in most containers
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def _own_group() -> Path | None:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2"]
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return roots[0] / paths[0] if roots and paths else None


def _cpu_s(group: Path) -> float:
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


def _pss_bytes(pid: int) -> int | None:
    """Proportional set size; 0 of a process that has ended, None of one that we may not read."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        return None
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
