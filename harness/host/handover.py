"""A process is handed over to a child of the host, which becomes it as far as anybody can tell.

The child has imported everything already. What a process is crosses as it was started: its open descriptors at their
numbers, environment, folder, arguments, streams, signals. Where something cannot be taken over and is not the same,
nothing is handed over.
Whatever ends the one ends the other: Linux kills the child when the connection ends; the process that handed over only
waits, and ends with it. The host's own end changes nothing for either.
Not covered: what is done then (`stand_in`, `command`), that host and process are held by the same limits (`server`).
"""

import fcntl
import locale
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from harness.host import frames
from harness.host.ask import ANSWER_S, Answered, NotServed, asking
from harness.host.family import move_to

READY_S = 120.0  # for the child to import what the host has not: seconds, also on a busy machine
STANDARD = (0, 1, 2)  # input, output, errors
PRINTED = {1: "stdout", 2: "stderr"}  # streams of Python on those that are written to
MOST = 250  # descriptors that Linux passes at a time, less a few
NEVER = {signal.SIGKILL, signal.SIGSTOP}  # signals that nobody handles


@dataclass(frozen=True, slots=True)
class Original:
    """The process that is handed over, as it was started: plain words that cross to the host as JSON."""

    arguments: Sequence[str]
    streams: Mapping[str, Mapping[str, Any]]  # name in `sys` -> how text is written
    folder: str
    environment: Mapping[str, str] = field(repr=False)
    path: Sequence[str]  # where modules are found
    umask: int
    ignored: Sequence[int]  # signals
    blocked: Sequence[int]  # signals
    descriptors: Sequence[int]
    inherited: Sequence[int]  # those that programs are given as well
    interpreter: Mapping[str, Any]  # what cannot be taken over

    @classmethod
    def here(cls) -> Self:
        """This process.

        Raises:
            OSError: it prints to something that is no descriptor.
        """
        umask = os.umask(0)
        os.umask(umask)
        opened = _descriptors()
        return cls(
            arguments=sys.argv,
            streams={name: _stream(getattr(sys, name), number) for number, name in PRINTED.items()},
            folder=str(Path.cwd()),
            environment=dict(os.environ),
            path=sys.path,
            umask=umask,
            ignored=[number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN],
            blocked=list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            descriptors=opened,
            inherited=[number for number in opened if os.get_inheritable(number)],
            interpreter=interpreter(),
        )


def interpreter() -> dict[str, Any]:
    """What an interpreter is told when it starts, but for `-P`, which says no more than `sys.path` does."""
    flags = dict(zip(type(sys.flags).__match_args__, sys.flags, strict=False))
    return {
        "flags": {name: int(value) for name, value in flags.items() if name != "safe_path"},
        "warnings": list(sys.warnoptions),
        "options": sorted(map(repr, sys._xoptions.items())),  # noqa: SLF001 - documented
        "encodings": [sys.getfilesystemencoding(), locale.setlocale(locale.LC_CTYPE)],
    }


@contextmanager
def handed_over(question: Mapping[str, Any]) -> Iterator[tuple[Original, Answered]]:
    """Ask the host for a child that becomes this process and does what `question` says; it ends with the context.

    Raises:
        NotServed: there is none.
    """
    try:
        original = Original.here()
    except OSError:
        raise NotServed(startable=False) from None
    opened = set(original.descriptors)
    if not opened.issuperset(STANDARD) or len(opened) > MOST:
        raise NotServed(startable=False)
    with asking({**question, "original": asdict(original)}) as host:
        _pass(host, original.descriptors)
        yield original, host


def _pass(host: Answered, descriptors: Sequence[int]) -> None:
    host.connection.settimeout(READY_S)
    try:
        socket.send_fds(host.connection, [b"!"], descriptors)
        standing = "standing" in next(host.further, {})
    except OSError:
        standing = False
    if not standing:
        raise NotServed(startable=False)
    host.connection.settimeout(None)


def become(
    connection: socket.socket, request: Mapping[str, Any], channel: socket.socket
) -> tuple[socket.socket, socket.socket] | None:
    """In a child of the host: be the process that `request` tells of from now on; None: that cannot be, and is told.

    Returns `connection` and `channel`, moved out of the way. What this process forks has neither.
    """
    original = Original(**request["original"])
    if original.interpreter != interpreter():
        frames.send(connection, {"refused": "this host was started with other options", "stays": True})
        return None
    frames.send(connection, {"accepted": os.getpid()})
    connection.settimeout(ANSWER_S)
    _, received, _, _ = socket.recv_fds(connection, 1, MOST)
    wanted = dict(zip(original.descriptors, received, strict=True))
    connection, channel = _take_descriptors(wanted, original.inherited, connection, channel)
    _end_with(connection)
    _take_over(original)
    for end in (connection, channel):  # what is forked is none of the host's business, and must not hold its end back
        os.register_at_fork(after_in_child=end.close)
    return connection, channel


def _take_descriptors(
    wanted: Mapping[int, int], inherited: Sequence[int], *kept: socket.socket
) -> tuple[socket.socket, ...]:
    """Have each of `wanted` (number -> what was received for it) and `kept`, elsewhere, open and nothing else."""
    above = max(wanted) + 1
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, above) for number in (*wanted.values(), *map(_detached, kept))]
    for number in set(_descriptors()) - set(moved):
        os.close(number)
    for number, target in zip(moved, wanted, strict=False):
        os.dup2(number, target, inheritable=target in inherited)
        os.close(number)
    return tuple(socket.socket(fileno=number) for number in moved[len(wanted) :])


def _detached(end: socket.socket) -> int:
    return end.detach()  # else its number would be closed once more, when it is somebody else's


def _descriptors() -> list[int]:
    """All that are open here."""
    with os.scandir("/proc/self/fd") as found:
        numbers = [int(entry.name) for entry in found]
    return [number for number in numbers if _is_open(number)]  # not that of the folder itself


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _stream(stream: TextIOWrapper | None, number: int) -> dict[str, Any]:
    if stream is None or stream.fileno() != number:  # Python has found nothing there, or somebody has put another
        raise OSError(f"descriptor {number} is not what Python prints to")
    text = {name: getattr(stream, name) for name in ("encoding", "errors", "line_buffering", "write_through")}
    return {"buffered": isinstance(stream.buffer, BufferedWriter), "text": text}  # not with -u


def _opened(number: int, facts: Mapping[str, Any]) -> TextIOWrapper:
    """A new stream: the one that is there remembers what the descriptor was before."""
    return TextIOWrapper(open(number, "wb", buffering=-1 if facts["buffered"] else 0, closefd=False), **facts["text"])


def _end_with(connection: socket.socket) -> None:
    """Have Linux kill this process when the other end of `connection` is gone; nothing more is said there."""
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([connection], [], [], 0.0)[0]:  # it had gone before
        os._exit(1)


def _take_over(original: Original) -> None:
    move_to(original.folder, original.environment)
    os.umask(original.umask)
    sys.path[:] = original.path
    sys.argv = list(original.arguments)
    for number, name in PRINTED.items():
        stream = _opened(number, original.streams[name])
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.modules["__main__"] = ModuleType("__main__")  # workers would take the host's for the command's
    for number in signal.valid_signals() - NEVER:
        signal.signal(number, signal.SIG_IGN if number in original.ignored else signal.SIG_DFL)
    if signal.SIGINT not in original.ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, original.blocked)
