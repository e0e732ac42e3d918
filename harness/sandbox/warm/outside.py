"""A program in a nested sandbox, as the grader holds it; and how it is asked for.

Not covered: keeping the fork server alive (`owner`), what happens inside (`server`, `nest`).
"""

import os
import resource
import select
import signal
import socket
import struct
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.course import Limits
from harness.errors import InfrastructureError, SandboxUnavailable
from harness.records import Outcome
from harness.sandbox import proc
from harness.sandbox.bubblewrap import FOLDERS, GUARANTEES, SCRATCH, SECOND_WALL, folders_of, writable
from harness.sandbox.contract import RUN, TRUSTED, WORK, Program
from harness.sandbox.inside import START, environment, inside_name, start_files, start_settings
from harness.sandbox.obstacles import remedy
from harness.sandbox.process import Pipes, SandboxProcess, open_pipes, readable, resource_limits, said_of
from harness.sandbox.syscalls import seccomp_filter
from harness.sandbox.view import PACKAGES
from harness.sandbox.warm.contract import Warmth
from harness.sandbox.warm.nest import ENDED
from harness.sandbox.warm.parcel import pack
from harness.sandbox.warm.server import FORK

CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group, as numbers of whoever receives it
# From asking to the handshake: 0.02 s as a rule. Longer than it takes the owner on a busy machine to see that a server
# is frozen and to have another; where it gives up, all who wait are told at once.
ANSWER_S = 120.0
PAGE = os.sysconf("SC_PAGESIZE")
SERVERS = 3  # in a row that may end while they start one program
COLD = "Mark with --kernels cold."
TRIAL = Program("trial.py", (), trusted={"trial.py": b""}, files={}, packages=(), limits=Limits())
OURS_INSIDE = 1  # of the processes of a nested sandbox: the PID 1


class WarmProcess(SandboxProcess):
    """A program whose tree is a PID namespace within that of its fork server."""

    def __init__(self, pipes: Pipes, *, program: int, limits: Limits) -> None:
        """Take hold of it; its parent is the PID 1 of its namespace."""
        root = _parent(program)
        # through the program, not the PID 1, which nobody may look into
        super().__init__(root, pipes, root=root, limits=limits, folders=folders_of(program))
        self._ended_by_us = False

    def exceeded(self) -> Outcome | None:
        """As in any sandbox; INFRASTRUCTURE where nobody here ended it, and its PID 1 did not see the program end."""
        if self.running():
            return self._exceeded
        ended = self._exceeded is not None or self._ended_by_us or self._told_its_end()
        return self._exceeded if ended else Outcome.INFRASTRUCTURE

    def _told_its_end(self) -> bool:
        with suppress(BlockingIOError, ConnectionResetError):
            return self._pipes.handshake.recv(len(ENDED), socket.MSG_PEEK | socket.MSG_DONTWAIT) == ENDED
        return False

    def _end_tree(self) -> None:
        if self.running():
            self._ended_by_us = True
        with suppress(ProcessLookupError):  # it has ended by itself
            signal.pidfd_send_signal(self._root_fd, signal.SIGKILL)
        readable(self._root_fd, None)  # once every process of the namespace is gone


class ServerEnded(Exception):
    """A fork server has ended while it started a program; whoever asks again reaches its successor."""

    def __init__(self) -> None:
        super().__init__("it ended while it started a program")


def fork(
    address: str, warmth: Warmth, program: Program, *, seconds: float = ANSWER_S, unless: Sequence[int] = ()
) -> WarmProcess:
    """Let the fork server that listens at `address` start `program`, or its successor where there is none just now.

    Waits for `seconds` at most, and no longer once one of the descriptors `unless` becomes readable.

    Raises:
        ServerEnded: the server ended before the program was let go.
        SandboxUnavailable: there is no server any more, the nested sandbox could not be built, or nobody answered.
    """
    with ExitStack() as undo:
        handshake = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        handshake.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        pipes, ends = open_pipes(handshake)
        undo.callback(pipes.close)
        with ExitStack() as closing:
            closing.callback(ends.close)
            parcel = pack(_facts(program), _files(warmth, program))
            closing.callback(os.close, parcel)
            _connect(handshake, address)
            _let_descriptors_pass()
            with _ending_of_server():
                socket.send_fds(handshake, [FORK], [ends.ready, ends.errors, parcel])
        with _ending_of_server():
            process = WarmProcess(pipes, program=_await(pipes, seconds, unless), limits=program.limits)
        undo.pop_all()
    with _ending_of_server():
        process.go()
    return process


def try_out(address: str, warmth: Warmth, *, seconds: float = ANSWER_S, unless: Sequence[int] = ()) -> None:
    """Start a program that does nothing, and end it; raises what `fork` raises."""
    trial = replace(TRIAL, packages=warmth.packages, device=warmth.device)
    fork(address, warmth, trial, seconds=seconds, unless=unless).end()


def _connect(handshake: socket.socket, address: str) -> None:
    try:
        handshake.connect(address)
    except OSError as error:  # whatever is there now: the owner's socket is not
        raise SandboxUnavailable("There is no fork server any more", remedy=COLD) from error


def _let_descriptors_pass() -> None:
    """Linux sums up what a user has on its way, programs too, and holds it against the limit of whoever sends more."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _ending_of_server() -> Iterator[None]:
    """What a server's end looks like: a broken connection, or a program that is not there any more."""
    try:
        yield
    except (ConnectionError, IndexError, *proc.GONE) as error:
        raise ServerEnded from error


def _facts(program: Program) -> dict[str, Any]:
    """What `nest` builds and starts."""
    home, run, trusted = (str(FOLDERS[name]) for name in (WORK, RUN, TRUSTED))
    limits = resource_limits(program.limits, processes=program.limits.processes + OURS_INSIDE)
    return {
        "writable": {
            str(folder): (size_bytes + (_room(program.files) if folder == FOLDERS[WORK] else 0), mode)
            for folder, (size_bytes, mode) in writable(program.limits).items()
        },
        "work": home,
        "environment": {**environment(program, home=home, scratch=str(SCRATCH), run=run), "PWD": home},
        "settings": {
            **start_settings(trusted=trusted, packages=str(PACKAGES), limits=limits),
            "landlock": SECOND_WALL,
            "seccomp": b64encode(seccomp_filter(counted=program.counted)).decode(),
        },
        "start": f"{trusted}/{START}",
        "command": [f"{trusted}/{program.module}", *program.arguments],
    }


def _room(files: Mapping[str, bytes]) -> int:
    """Bytes that `files` take in memory: what a program is given is not taken from what it may write."""
    return sum(PAGE * (len(content) // PAGE + 1) for content in files.values())


def _files(warmth: Warmth, program: Program) -> dict[str, Mapping[str, bytes]]:
    """What lies in the working folder, and in that of trusted files where it is not the fork server's own."""
    groups = {"work": program.files}
    if program.trusted != warmth.trusted:
        groups["trusted"] = {**program.trusted, **start_files()}
    return {group: {str(inside_name(name)): each for name, each in files.items()} for group, files in groups.items()}


def _await(pipes: Pipes, seconds: float, unless: Sequence[int]) -> int:
    """The number of the program that waits to be let go, as its own credentials say."""
    found = first_readable((pipes.handshake.fileno(), *unless), seconds)
    if not found:
        raise SandboxUnavailable(f"The fork server gave no answer within {seconds:g} s", remedy="Mark with fewer jobs.")
    if pipes.handshake.fileno() not in found:
        raise ServerEnded
    said, ancillary, _, _ = pipes.handshake.recvmsg(1, socket.CMSG_SPACE(CREDENTIALS.size))
    if said in {b"", ENDED}:  # it came to an end before it could say that it is there
        words = said_of(pipes)
        if not words:
            raise ServerEnded
        raise SandboxUnavailable(f"The nested sandbox cannot be built: {words}", remedy=remedy(words).en)
    [(_, _, credentials)] = ancillary
    number: int = CREDENTIALS.unpack(credentials)[0]
    return number


def first_readable(descriptors: Sequence[int], seconds: float) -> set[int]:
    """Those of `descriptors` that are readable, or at their end, once one is; none after `seconds`."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}


def _parent(process: int) -> int:
    """Of a process that waits for us, so that its number is still its own."""
    return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])


class Warm:
    """Keeps `contract.Sandbox` by means of a fork server: the walls of `Bubblewrap`, built around a warm process."""

    name = "warm"
    guarantees = GUARANTEES

    def __init__(self, address: str, warmth: Warmth) -> None:
        """`address`: of a fork server for `warmth`, see `owner`."""
        self._address = address
        self._warmth = warmth

    def check(self) -> None:
        try_out(self._address, self._warmth)

    def start(self, program: Program) -> WarmProcess:
        """See `contract.Sandbox.start`; a server that is being replaced is waited for.

        Raises:
            InfrastructureError: this server is for other programs.
        """
        asked, given = (program.packages, program.device), (self._warmth.packages, self._warmth.device)
        if asked != given:
            raise InfrastructureError(
                f"a fork server for {given} cannot start a program for {asked}", remedy="Give each its own."
            )
        for _ in range(SERVERS):
            with suppress(ServerEnded):
                return fork(self._address, self._warmth, program)
        raise SandboxUnavailable(f"{SERVERS} fork servers ended, one after the other", remedy=COLD)
