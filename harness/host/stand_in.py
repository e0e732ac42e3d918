"""A child of the host that stands in for the process that workers are forked from: it has imported everything already.

A process that has just been started (`runners.preload`) asks for it, hands over all that makes it what it is, and then
only waits for its end. The stand-in becomes that process as far as anybody can tell, and runs the very code that it was
started with. Where something cannot be taken over and is not the same, there is no stand-in.
Whatever ends the one ends the other: Linux kills the stand-in when the connection ends, and who waits ends with it.
The host's own end changes nothing for a stand-in.
Not covered: what is made ready (`tasks.prepare`), and that host and command are held by the same limits (`server`).
"""

import fcntl
import locale
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from harness.host import frames, identity
from harness.host.ask import ANSWER_S, NotServed, asking
from harness.host.family import move_to, send
from harness.runners import preload

READY_S = 120.0  # for the stand-in to import what the host has not: seconds, also on a busy machine
STANDARD = (0, 1, 2)  # input, output, errors
MOST = 250  # descriptors that Linux passes at a time, less a few
NEVER = {signal.SIGKILL, signal.SIGSTOP}  # signals that nobody handles


@dataclass(frozen=True, slots=True)
class Original:
    """The process that is stood in for, as it was started: plain words that cross to the host as JSON."""

    code: str  # what it was told to run
    setup: preload.Words
    folder: str
    environment: Mapping[str, str] = field(repr=False)
    path: Sequence[str]  # where modules are found
    umask: int
    ignored: Sequence[int]  # signals
    blocked: Sequence[int]  # signals
    descriptors: Sequence[int]
    interpreter: Mapping[str, Any]  # what cannot be taken over

    @classmethod
    def here(cls, setup: preload.Words) -> Self:
        """This process."""
        umask = os.umask(0)
        os.umask(umask)
        return cls(
            code=sys.orig_argv[-1],
            setup=setup,
            folder=str(Path.cwd()),
            environment=dict(os.environ),
            path=sys.path,
            umask=umask,
            ignored=[number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN],
            blocked=list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            descriptors=_descriptors(),
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


def ask(setup: preload.Words) -> socket.socket | None:
    """A connection that lasts as long as a stand-in for this process, which has made the call `setup`; None: none does.

    The descriptors beyond the standard ones are the stand-in's alone then.
    """
    with suppress(NotServed, OSError):
        original = Original.here(setup)
        opened = set(original.descriptors)
        if sys.orig_argv[-2] == "-c" and opened.issuperset(STANDARD) and len(opened) <= MOST:
            return _asked(original)
    return None


def _asked(original: Original) -> socket.socket | None:
    with asking({"ask": "stand in", "original": asdict(original)}) as host:
        host.connection.settimeout(READY_S)
        socket.send_fds(host.connection, [b"!"], original.descriptors)
        if "standing" not in next(host.further, {}):
            return None
        host.connection.settimeout(None)
        for number in set(original.descriptors) - set(STANDARD):
            os.close(number)
        return host.connection.dup()


def stand_in(connection: socket.socket, request: Mapping[str, Any], channel: socket.socket) -> None:
    """In a child of the host: be the process that `request` tells of, until that has nothing left to do.

    On the `channel` the host learns what it can import for the next.
    """
    original, known = Original(**request), set(sys.modules)
    if original.interpreter != interpreter():
        frames.send(connection, {"refused": "this host was started with other options", "stays": True})
        return
    frames.send(connection, {"accepted": os.getpid()})
    connection.settimeout(ANSWER_S)
    _, received, _, _ = socket.recv_fds(connection, 1, MOST)
    connection, channel = _take_descriptors(dict(zip(original.descriptors, received, strict=True)), connection, channel)
    _end_with(connection)
    _take_over(original)
    preload.load(original.setup)
    send(channel, {"imported": identity.installed(set(sys.modules) - known), "wanted": None})
    if not preload.forkable():
        return  # the original finds that out by itself, and starts over
    for end in (connection, channel):  # workers are none of the host's business, and must not hold its end back
        os.register_at_fork(after_in_child=end.close)
    frames.send(connection, {"standing": os.getpid()})
    try:
        exec(original.code, sys.modules["__main__"].__dict__)  # noqa: S102 - of our own user, from our own command
    except Exception:  # noqa: BLE001 - nobody is above to tell it, as there is above a program
        traceback.print_exc()


def _take_descriptors(wanted: Mapping[int, int], *kept: socket.socket) -> tuple[socket.socket, ...]:
    """Have each of `wanted` (number -> what was received for it) and `kept`, elsewhere, open and nothing else."""
    above = max(wanted) + 1
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, above) for number in (*wanted.values(), *map(_detached, kept))]
    for number in set(_descriptors()) - set(moved):
        os.close(number)
    for number, target in zip(moved, wanted, strict=False):
        os.dup2(number, target, inheritable=target in STANDARD)
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
    sys.argv = ["-c"]
    sys.modules["__main__"] = ModuleType("__main__")  # workers would take the host's for the command's
    for number in signal.valid_signals() - NEVER:
        signal.signal(number, signal.SIG_IGN if number in original.ignored else signal.SIG_DFL)
    if signal.SIGINT not in original.ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, original.blocked)
