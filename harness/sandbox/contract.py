"""What a sandbox is asked for and what it promises; `bubblewrap` and `plain` both keep this contract.

Covered and not covered is said by each implementation's `guarantees`, one line each, and held by tests/conformance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.course import Limits
from harness.records import Device, Outcome

PYTHON = "python"  # as argv[0]: the sandbox puts its own interpreter there
WORK = "work"  # names of the folders that every sandbox has, see `Process.inside`
TRUSTED = "bareme"
RUN = "run"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One promise, or its absence."""

    name: str  # stable: "network", "filesystem", "root", ...
    covered: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run inside, and everything it may see."""

    module: str  # a file of `trusted`, run as a script by the sandbox's Python in isolated mode
    arguments: Sequence[str]
    trusted: Mapping[str, bytes]  # our own files, read-only: name -> content
    files: Mapping[str, bytes]  # the student's and the assignment's, read-only, in the working folder
    packages: Sequence[str]  # distributions to be importable, with all that they require
    limits: Limits
    environment: Mapping[str, str] = field(default_factory=dict)  # added to the sandbox's own minimal one
    device: Device = "cpu"
    counted: bool = False  # no child process ends off the account: what is set for SIGCHLD has no effect


@dataclass(frozen=True, slots=True)
class Usage:
    """What the whole process tree has used, read from outside."""

    cpu_s: float
    memory_bytes: int
    peak_memory_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Cpu:
    """What a tree has used of the processors since it began, fit for subtraction."""

    cpu_s: float  # of all processes and threads, in nanoseconds' resolution; of children that have ended in ticks
    waited_s: float  # run-queue delay of the threads that live: ready to run, and no processor was free
    ticked_s: float  # the part of cpu_s that is counted in ticks


class Process(Protocol):
    """A program that runs in a sandbox. All methods may be called after its end."""

    pid: int  # of the outermost process, on the host

    def ready_fd(self) -> int:
        """The reading end of a pipe; the program holds the writing end as descriptor BAREME_READY_FD.

        It becomes readable when the program has written a byte there (it is ready) or at end of file (it died)."""

    def inside(self, folder: str, name: str) -> str:
        """The path, as seen by the program, of `name` in `WORK`, `TRUSTED` or `RUN`."""

    def outside(self, folder: str, name: str) -> str:
        """The same path as seen by the grader, short enough for a socket (107 bytes)."""

    def running(self) -> bool:
        """Whether the program still runs."""

    def interrupt(self) -> None:
        """SIGINT to the program."""

    def end(self, grace_s: float = 0.0) -> None:
        """SIGTERM, at most `grace_s` seconds of waiting, then SIGKILL; returns when the whole tree is gone."""

    def wait_fd(self) -> int:
        """A descriptor that becomes readable when the program has ended (a pidfd)."""

    def exceeded(self) -> Outcome | None:
        """TIMEOUT or MEMORY when the sandbox ended the program because a limit was reached, else None."""

    def last_words(self) -> str:
        """The end of what the program wrote to its error stream; whatever the student's code wrote there included."""

    def usage(self) -> Usage:
        """What the tree uses now; after the end, the last figures seen."""

    def take_peak(self) -> int:
        """Bytes of memory that the tree has held at most since this was asked last; 0 where that cannot be told.

        Processes that live are counted each at its own peak, those that have ended as the watchdog saw them."""

    def cpu(self) -> Cpu:
        """What the tree has used of the processors until now; after the end, the last figures seen."""


class Sandbox(Protocol):
    """A way of running a program that is not trusted."""

    name: str
    guarantees: tuple[Guarantee, ...]

    def check(self) -> None:
        """Raise SandboxUnavailable, with the remedy, when this sandbox cannot work on this machine."""

    def start(self, program: Program) -> Process:
        """Start `program`.

        Raises:
            SandboxUnavailable: the sandbox itself could not be built.
        """
