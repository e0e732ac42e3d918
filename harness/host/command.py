"""A child of the host that stands in for a whole command: nothing of what that would import has to be imported.

The command hands itself over before it reads its own words, and then waits: it passes on what the terminal and others
tell it by signals, and ends as its stand-in does.
Not covered: how a process is handed over (`handover`), what the command does (`cli`).
"""

import atexit
import os
import signal
import socket
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from harness.errors import InfrastructureError
from harness.host import frames, identity
from harness.host.family import send
from harness.host.handover import become, handed_over
from harness.runners import preload

PASSED_ON = (signal.SIGINT, signal.SIGTERM)  # whatever else ends a process ends the stand-in with it
FAILED = 1  # what Python exits with after an exception that nobody caught
UNWRITTEN = 120  # and when at its end not all could be written
Handler = Callable[[int, FrameType | None], object]


def by_stand_in(main: preload.Words) -> int:
    """The exit code of a stand-in for this process that makes the call `main` in its place.

    Raises:
        NotServed: there is none, and nothing has been done.
        InfrastructureError: it was ended by force.
    """
    told: list[int] = []
    with (
        handed_over({"ask": "act", "call": main}) as (_, host),
        _process(host.accepted["accepted"]) as process,
        _passed_on(process, told.append),
        suppress(ConnectionError, StopIteration),  # it has ended without a word
    ):
        return int(next(host.further)["exit"])
    return _ended(told)


def act(connection: socket.socket, request: Mapping[str, Any], channel: socket.socket) -> None:
    """In a child of the host: be the command that `request` tells of, to its end.

    On the `channel` the host learns what it can import for the next.
    """
    known = set(sys.modules)
    ends = become(connection, request, channel)
    if ends is None:
        return
    connection, channel = ends
    frames.send(connection, {"standing": os.getpid()})
    _leave_to_the_host()
    code = _called(request["call"])
    send(channel, {"imported": identity.installed(set(sys.modules) - known), "wanted": None})
    frames.send(connection, {"exit": code})  # the last: whoever hears it ends, and this process with it


def _leave_to_the_host() -> None:
    """What is tidied up at the end of the process that began it: the host's folders, and 0.03 s of torch's."""
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]  # noqa: SLF001 - no other way
        finalizer.atexit = False


def _called(main: preload.Words) -> int:
    """The exit code that Python would end with after this call; everything is written, and cleared away, by then."""
    code = 0
    try:
        preload.call(main)
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException:  # noqa: BLE001 - as Python does at the end of a program
        traceback.print_exc()
        code = FAILED
    atexit._run_exitfuncs()  # noqa: SLF001 - this process is not ended by Python, whose part this is
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads on
        code = UNWRITTEN
    return code


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    sys.stderr.write(f"{code}\n")
    return FAILED


@contextmanager
def _passed_on(process: int, tell: Callable[[int], object]) -> Iterator[None]:
    """Signals go to the process behind the descriptor, each told; it rests whenever this one does."""

    def send_on(number: int) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            signal.pidfd_send_signal(process, number)

    def pass_on(number: int, _: FrameType | None) -> None:
        tell(number)
        send_on(number)

    def rest(_: int, __: FrameType | None) -> None:
        send_on(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        send_on(signal.SIGCONT)

    handlers: dict[int, Handler] = {**dict.fromkeys(PASSED_ON, pass_on), signal.SIGTSTP: rest}
    heeded = [number for number in handlers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handlers[number]) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _process(pid: int) -> Iterator[int]:
    """A descriptor of the stand-in `pid`, which is connected, so that its number is its own."""
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)


def _ended(told: Sequence[int]) -> int:
    """What a command ends with whose stand-in was ended, after the signals `told`."""
    if told:  # it had not come far enough to heed them
        return 128 + told[-1]  # as shells report it
    raise InfrastructureError(
        "the process that did the work was ended", remedy="Run the command again; --resume marks only what is left."
    )
