"""A program in a sandbox, as the grader holds it: what both sandboxes have in common.

Outermost process (ours) ... -> root of the tree (ours, maybe the outermost itself) -> program -> whatever it starts.
Not covered: how the tree is built and ended (`bubblewrap`, `plain`).
"""

import math
import os
import select
import signal
import socket
import subprocess
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from harness.course import Limits
from harness.errors import SandboxUnavailable
from harness.records import Outcome
from harness.sandbox import proc
from harness.sandbox.contract import Cpu, Usage
from harness.sandbox.obstacles import remedy
from harness.sandbox.watchdog import WATCHDOG

LAST_WORDS_BYTES = 8 * 1024  # of the error stream: a traceback of a start that failed
DRAIN_BYTES = 1024 * 1024  # read of the error stream in one look, so that one program cannot hold up the watchdog
START_TIMEOUT_S = 30.0  # from start to handshake: 0.05 s as a rule, more on a machine that swaps
OPEN_FILES = 1024
STACK_BYTES = 8 * 1024 * 1024  # what Linux gives by default; threads take theirs from it
# What one process may reserve beyond the limit of the tree, so that a single absurd allocation fails at once. Memory is
# filled at 4 GB/s at most: whoever goes step by step meets the watchdog ten times before this.
HEADROOM_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pipes:
    """The grader's ends of what connects it with a program."""

    ready: int
    errors: int
    handshake: socket.socket

    def close(self) -> None:
        """Close them."""
        os.close(self.ready)
        os.close(self.errors)
        self.handshake.close()


@dataclass(frozen=True, slots=True)
class Ends:
    """The program's ends."""

    ready: int
    errors: int

    def close(self) -> None:
        """Close them here, once the program has them."""
        os.close(self.ready)
        os.close(self.errors)


def open_pipes(handshake: socket.socket) -> tuple[Pipes, Ends]:
    """Fresh pipes beside `handshake`; the error stream never blocks the grader."""
    ready, ready_inside = os.pipe()
    errors, errors_inside = os.pipe()
    os.set_blocking(errors, False)
    return Pipes(ready, errors, handshake), Ends(ready_inside, errors_inside)


# Linux counts these for each user and for all its sandboxes together: what one program may have leaves room for others
OF_ITS_USER = {
    "RLIMIT_MEMLOCK": 64 * 1024,  # bytes, of 8 MiB
    "RLIMIT_MSGQUEUE": 0,  # bytes; memory that no look at the tree would see
    "RLIMIT_SIGPENDING": 1024,  # signals and timers, of tens of thousands
}


def resource_limits(limits: Limits, *, processes: int | None) -> dict[str, int]:
    """Limits that the system holds for each process; the watchdog holds those of the tree."""
    values = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": math.ceil(limits.cpu_s) + 2,  # after the watchdog, should that be kept from looking
        "RLIMIT_DATA": limits.memory_bytes + HEADROOM_BYTES,
        "RLIMIT_FSIZE": limits.disk_bytes,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_STACK": STACK_BYTES,
        **OF_ITS_USER,
    }
    return values if processes is None else {**values, "RLIMIT_NPROC": processes}


class SandboxProcess:
    """Keeps `contract.Process`. Descriptors stay open as long as this object lives."""

    def __init__(
        self,
        outermost: int,
        pipes: Pipes,
        *,
        root: int,
        limits: Limits,
        folders: Mapping[str, tuple[str, str]],
    ) -> None:
        """Take hold of the tree under process `root`; `folders`: name -> (inside, outside)."""
        self.pid = outermost
        self._pipes = pipes
        self._limits = limits
        self._folders = folders
        self._wait_fd = os.pidfd_open(outermost)
        self._root_fd = os.pidfd_open(root)
        self._program_fd = os.pidfd_open(proc.children(root)[0])  # the root starts it first, and it waits for us
        self._tree = proc.Tree(root)
        self._usage = Usage(0.0, 0, 0, 0)
        self._cpu = Cpu(0.0, 0.0, 0.0)
        self._most_bytes = 0  # of memory, as the watchdog saw it since `take_peak`
        self._words = b""
        self._exceeded: Outcome | None = None
        self._looking = threading.Lock()
        self._ending = threading.Lock()
        weakref.finalize(self, _release, pipes, (self._wait_fd, self._root_fd, self._program_fd))

    def go(self) -> None:
        """Let the program run, and look after it."""
        WATCHDOG.watch(self)
        self._pipes.handshake.send(b"!")

    def ready_fd(self) -> int:
        return self._pipes.ready

    def wait_fd(self) -> int:
        return self._wait_fd

    def inside(self, folder: str, name: str) -> str:
        return f"{self._folders[folder][0]}/{name}"

    def outside(self, folder: str, name: str) -> str:
        return f"{self._folders[folder][1]}/{name}"

    def running(self) -> bool:
        return not readable(self._wait_fd, 0.0)

    def exceeded(self) -> Outcome | None:
        return self._exceeded

    def last_words(self) -> str:
        """The end of what the program wrote to its error stream."""
        self._drain()
        return self._words.decode(errors="replace")

    def interrupt(self) -> None:
        self._signal(signal.SIGINT)

    def usage(self) -> Usage:
        self._look()
        return self._usage

    def take_peak(self) -> int:
        with self._looking:
            if readable(self._root_fd, 0.0):
                return 0  # ended: its number may belong to another process by now
            exact, seen = self._tree.take_peak(), self._most_bytes
            self._most_bytes = 0
        return max(exact, seen) if exact else 0

    def cpu(self) -> Cpu:
        with self._looking:
            if not readable(self._root_fd, 0.0):  # once ended, its number may belong to another process
                now, last = self._tree.cpu(), self._cpu
                self._cpu = Cpu(
                    max(now.cpu_s, last.cpu_s), max(now.waited_s, last.waited_s), max(now.ticked_s, last.ticked_s)
                )
        return self._cpu

    def end(self, grace_s: float = 0.0) -> None:
        if grace_s > 0 and self.running():
            self._signal(signal.SIGTERM)
            readable(self._wait_fd, grace_s)
        self._look()  # the last figures, while they can still be read
        self._finish()

    def look_after(self) -> bool:
        """For the watchdog: hold the limits of the whole tree; False when it has ended."""
        try:
            self._drain()
            if self.running():
                self._look()
                self._exceeded = self._over_limit()
        except OSError as error:  # the grader is out of descriptors, say: nothing may run unwatched
            self._exceeded = Outcome.INFRASTRUCTURE
            self._words += str(error).encode()
        if self._exceeded is None and self.running():
            return True
        self._finish()  # also what a program that ended by itself has left behind
        return False

    def _finish(self) -> None:
        with self._ending:
            self._end_tree()

    def _end_tree(self) -> None:
        """SIGKILL to every process of the tree; return when they are gone."""
        raise NotImplementedError

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended: nothing to say it to
            signal.pidfd_send_signal(self._program_fd, number)

    def _look(self) -> None:
        with self._looking:
            if readable(self._root_fd, 0.0):
                return  # ended: its number may belong to another process by now
            look = self._tree.look()
            used = look.memory_bytes
            if used > self._limits.memory_bytes:
                used = sum(_proportional(pid) for pid in look.processes)
            last = self._usage
            self._most_bytes = max(used, self._most_bytes)
            self._usage = Usage(
                cpu_s=max(look.cpu_s, last.cpu_s),
                memory_bytes=used,
                peak_memory_bytes=max(used, last.peak_memory_bytes),
                processes=look.threads,
            )

    def _over_limit(self) -> Outcome | None:
        if self._usage.memory_bytes > self._limits.memory_bytes:
            return Outcome.MEMORY
        if self._usage.cpu_s > self._limits.cpu_s:
            return Outcome.TIMEOUT
        # only where the system itself does not hold this limit
        return Outcome.CRASHED if self._usage.processes > self._limits.processes else None

    def _drain(self) -> None:
        left = DRAIN_BYTES
        with self._looking, suppress(BlockingIOError):
            while left > 0 and (chunk := os.read(self._pipes.errors, 65536)):
                self._words = (self._words + chunk)[-LAST_WORDS_BYTES:]
                left -= len(chunk)


def await_handshake(outermost: subprocess.Popen[bytes], pipes: Pipes) -> None:
    """Wait until the start script runs.

    Raises:
        SandboxUnavailable: it never does; the error stream says why.
    """
    if readable(pipes.handshake.fileno(), START_TIMEOUT_S) and pipes.handshake.recv(1):
        return
    outermost.kill()
    outermost.wait()
    words = said_of(pipes) or f"no answer within {START_TIMEOUT_S:.0f} s"
    raise SandboxUnavailable(f"The sandbox cannot be built: {words}", remedy=remedy(words).en)


def readable(descriptor: int, timeout_s: float | None) -> bool:
    """Wait for a descriptor; poll, because select refuses numbers above 1023."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


def _proportional(pid: int) -> int:
    try:
        return proc.proportional_bytes(pid)
    except proc.GONE:
        return 0


def said_of(pipes: Pipes) -> str:
    """What a program that does not run yet has written to its error stream."""
    with suppress(BlockingIOError):
        return os.read(pipes.errors, LAST_WORDS_BYTES).decode(errors="replace").strip()
    return ""


def _release(pipes: Pipes, descriptors: tuple[int, ...]) -> None:
    pipes.close()
    for descriptor in descriptors:
        os.close(descriptor)
