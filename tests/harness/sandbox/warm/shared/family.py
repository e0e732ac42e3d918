"""A fork server, the processes around it, and programs in it: what the tests of its death and of its end share."""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from harness.course import Limits
from harness.errors import SandboxUnavailable
from harness.sandbox import proc
from harness.sandbox.contract import Program
from harness.sandbox.warm.contract import Warmth
from harness.sandbox.warm.outside import Warm, WarmProcess
from harness.sandbox.warm.owner import ForkServer

PATIENCE_S = 60.0  # for what others bring about, on a machine that does other things too
MIB = 2**20
LIMITS = Limits(memory_bytes=256 * MIB, disk_bytes=16 * MIB, processes=24, cpu_s=30.0)
NOTHING = "def prepare(settings): pass"
WAITS = 'import os, signal; os.write(int(os.environ["BAREME_READY_FD"]), b"."); signal.pause()'
CRASHES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


def warmth(prepare: str = NOTHING) -> Warmth:
    return Warmth({"prepare.py": prepare.encode()}, (), "prepare.py", "")


@dataclass
class Family:
    """One owner, and programs that are ended with the test."""

    server: ForkServer
    started: list[WarmProcess] = field(default_factory=list)

    def start(self, code: str) -> WarmProcess:
        program = Program("main.py", (), {"main.py": code.encode()}, {}, (), LIMITS)
        process = Warm(self.server.address, self.server.warmth).start(program)
        self.started.append(process)
        return process

    def waiting(self) -> WarmProcess:
        """A program that runs until it is ended."""
        process = self.start(WAITS)
        wait(process.ready_fd())
        assert os.read(process.ready_fd(), 1) == b".", process.last_words()
        return process

    def layers(self) -> list[int]:
        """The server of this moment, PID 1 of its namespace, and the processes around it, outermost last."""
        process = self.waiting()
        layers = ancestors(process.pid)
        process.end()
        return layers

    def close(self) -> None:
        for process in self.started:
            process.end()
        self.server.close()


def ancestors(pid: int) -> list[int]:
    """Processes between `pid` and this one."""
    found = []
    while (pid := parent(pid)) != os.getpid():
        found.append(pid)
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def wait(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(PATIENCE_S * 1000), "nothing happened"


def kill(pid: int) -> None:
    """SIGKILL, and return when it has ended."""
    number = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        wait(number)
    finally:
        os.close(number)


def below(pid: int) -> list[int]:
    """All processes under `pid`."""
    return [number for number, _ in proc.walk(pid) if number != pid]


# Children that other tests of the session keep, such as fork servers of their own. Their numbers are used again in time
OTHERS: set[psutil.Process] = set()


def ours() -> list[int]:
    """All processes under this one that the test has brought about."""
    children = [child.pid for child in psutil.Process().children() if child not in OTHERS]
    return [pid for child in children for pid in (child, *below(child))]


def wait_for_end_of(pids: Iterable[int]) -> None:
    """Return when none of these processes runs any more."""
    for pid in pids:
        try:
            number = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            wait(number)
        finally:
            os.close(number)


def in_a_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begin `work`; what is returned waits for its result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE_S)
        return results[0]

    return result


def refusal(work: Callable[[], Any]) -> Callable[[], str]:
    """Begin `work`; what is returned waits for its refusal."""

    def refused() -> str:
        try:
            return f"not refused: {work()}"
        except SandboxUnavailable as error:
            return str(error)

    return in_a_thread(refused)
