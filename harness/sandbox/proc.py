"""What /proc says about a tree of processes: who belongs to it, its memory, its CPU time.

Not covered: deciding anything about it (`process`), and when to look (`watchdog`).
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.sandbox.contract import Cpu

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KIB = 1024
FORGET_PEAK = "5"  # written to clear_refs: the high-water mark of resident memory starts again from now, see proc(5)
GONE = (FileNotFoundError, ProcessLookupError)  # how /proc answers for a process that has just ended


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a tree, its root left out: the root is ours."""

    cpu_s: float
    memory_bytes: int  # resident, anonymous and shared; pages shared by several processes counted in each
    threads: int
    processes: tuple[int, ...]


@dataclass(slots=True)
class Tree:
    """The processes under `root`, with a memory of the CPU time of those that are gone."""

    root: int
    _spent: dict[tuple[int, str], float] = field(default_factory=dict)  # (pid, start time) -> CPU seconds

    def look(self) -> Look:
        """The tree now. Processes that end meanwhile are left out."""
        memory_bytes = threads = 0
        times = []
        pids = []
        for pid, tasks in walk(self.root):
            try:
                times.append(self._time(pid))
                if pid == self.root:
                    continue
                memory_bytes += resident_bytes(pid)
            except (*GONE, OSError):
                continue
            threads += tasks
            pids.append(pid)
        return Look(self._sum(times), memory_bytes, threads, tuple(pids))

    def cpu(self) -> Cpu:
        """What the tree has used of the processors until now."""
        times = []
        waited_s = 0.0
        for pid, _ in walk(self.root):
            with suppress(*GONE, OSError):
                times.append(self._time(pid))
                waited_s += run_queue_delay(pid)
        return Cpu(self._sum(times), waited_s, sum(children_s for _, children_s in times))

    def take_peak(self) -> int:
        """Most memory that the processes alive now have held since this was asked last, each at its own peak.

        To the page, however short the peak was. 0 where the system keeps no mark that can be set back.
        """
        total_bytes = 0
        for pid, _ in walk(self.root):
            if pid == self.root:
                continue
            try:
                total_bytes += take_peak(pid)
            except GONE:
                continue
            except PermissionError:
                return 0
        return total_bytes if Path("/proc/self/clear_refs").exists() else 0

    def _time(self, pid: int) -> tuple[float, float]:
        """CPU seconds of one process and of the children that it has waited for; the root's own are ours."""
        started, children_s = _stat(pid)
        if pid == self.root:
            return 0.0, children_s
        own_s = time.clock_gettime(_cpu_clock(pid))
        self._spent[pid, started] = own_s
        return own_s, children_s

    def _sum(self, times: list[tuple[float, float]]) -> float:
        # children that nobody waited for are missing in one sum, those too short for a look in the other
        return max(sum(own_s + children_s for own_s, children_s in times), sum(self._spent.values()))


def walk(root: int) -> Iterator[tuple[int, int]]:
    """(pid, number of threads) of `root` and of everything below it."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
        except GONE:
            continue
        for task in tasks:
            waiting.extend(_children(task))
        yield pid, len(tasks)


def children(pid: int) -> list[int]:
    """Processes that the main thread of `pid` has started, or that have been handed to it."""
    return _children(Path(f"/proc/{pid}/task/{pid}"))


def resident_bytes(pid: int) -> int:
    """Anonymous and shared memory of one process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return _kibibytes(status, "RssAnon") + _kibibytes(status, "RssShmem")


def take_peak(pid: int) -> int:
    """Most anonymous and shared memory of one process since this was asked last; the mark is set back."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    Path(f"/proc/{pid}/clear_refs").write_text(FORGET_PEAK, encoding="ascii")
    # the mark counts mapped files as well: libraries, whose share hardly moves
    return _kibibytes(status, "VmHWM") - _kibibytes(status, "RssFile")


def run_queue_delay(pid: int) -> float:
    """Seconds that the threads of one process were ready to run and no processor was free, see schedstats of Linux."""
    delay_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(*GONE):
            delay_ns += int((task / "schedstat").read_bytes().split()[1])
    return delay_ns / 1e9


def proportional_bytes(pid: int) -> int:
    """The same with each shared page divided among those that share it; slower to read."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except PermissionError:
        return resident_bytes(pid)
    return _kibibytes(rollup, "Pss_Anon") + _kibibytes(rollup, "Pss_Shmem")


def _children(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_bytes().split()]
    except GONE:
        return []


def _stat(pid: int) -> tuple[str, float]:
    """When a process started, and the CPU seconds of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()  # fields[0] is field 3 of proc(5)
    return fields[19].decode(), (int(fields[13]) + int(fields[14])) / TICKS_PER_S


def _cpu_clock(pid: int) -> int:
    """The clock that counts the CPU time of a whole process in nanoseconds, see clock_getcpuclockid(3)."""
    return ~pid << 3 | 2


def _field(text: str, name: str) -> str:
    return text.partition(f"{name}:")[2].partition("\n")[0].strip()


def _kibibytes(text: str, name: str) -> int:
    return int((_field(text, name) or "0").split()[0]) * KIB
