"""The command's side: have the host check a notebook, or check it here where no host answers; start and end hosts.

Standard library only until it turns out that the work is to be done here.
Not covered: how a host is asked (`ask`), the check itself (`check`), the host's side (`server`).
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TextIO

from harness.errors import BaremeError, UsageError
from harness.host import frames, identity
from harness.host.ask import ANSWER_S, NotServed, asking, wanted
from harness.host.order import Order, Request, Surroundings
from harness.host.place import Place, peer
from harness.records import Text

ENDING_S = 10.0  # for a host that was told to end: it ends its workers first; and for one that adds up its memory
MODULE = "harness.host"  # run as a program
DIED = Text(
    fr="Le processus d'arrière-plan s'est arrêté, la vérification reprend ici.",
    en="The process in the background has ended, checking again here.",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """A host, as it sees itself."""

    pid: int
    since: datetime  # aware, UTC
    memory_bytes: int  # all its processes
    warm: list[str]  # assignments whose kernels start warm
    problems: list[str]  # why those of others do not


def check(order: Order, *, use_host: bool) -> int:
    """Check a notebook, by the host where one answers; the exit code.

    Raises:
        BaremeError: as `check.check` raises it, wherever that ran.
    """
    if not use_host or not wanted("BAREME_HOST", default=True):
        return _here(order, None)[0]
    environment = dict(os.environ)  # before libraries are imported that add to it
    try:
        return _served(order)
    except NotServed as reason:
        code, use = _here(order, reason.say)
        if reason.startable and not wanted("CI", default=False):
            start({"modules": identity.installed(sys.modules), "wanted": use}, environment)
        return code


def start(hints: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Start a host in the background, and return at once; `hints`: what it makes ready for the next check.

    One that runs already stays: the new one then ends by itself.
    """
    starter = subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        start_new_session=True,
    )
    starter.communicate(json.dumps(hints).encode("ascii"))  # it leaves the host behind and ends


def status() -> Facts | None:
    """What the host says of itself; None where there is none.

    Raises:
        UsageError: it does not answer.
        PlaceRefused: its folder is not the user's alone.
    """
    try:
        with closing(Place.open()) as place, place.connect(timeout_s=ENDING_S) as connection:
            frames.send(connection, {"ask": "status"})
            said = next(frames.received(connection), None)
    except (FileNotFoundError, ConnectionError):
        return None
    except (TimeoutError, BlockingIOError):
        raise UsageError("the host does not answer", remedy="End it with `bareme host --stop`.") from None
    return None if said is None else Facts(**{**said, "since": datetime.fromisoformat(said["since"])})


def stop() -> bool:
    """End the host, by force if it does not answer; False where there is none."""
    try:
        with closing(Place.open()) as place, place.connect(timeout_s=ANSWER_S) as connection:
            process = os.pidfd_open(peer(connection)[0])
            try:
                _end(process, connection)
            finally:
                os.close(process)
    except (FileNotFoundError, ConnectionError, ProcessLookupError):
        return False
    return True


def _served(order: Order) -> int:
    """The exit code of a check that a worker of the host makes; what it prints is printed here.

    Raises:
        NotServed: no worker has made it to the end.
        BaremeError: the check's own.
    """
    with asking({"ask": "check", "request": Request(order, Surroundings.here()).to_json()}) as host:
        return _relayed(host.further)


def _relayed(answers: Iterator[dict[str, Any]]) -> int:
    for frame in _until_it_breaks(answers):
        match frame:
            case {"out": str(text)}:
                _print(sys.stdout, text)
            case {"err": str(text)}:
                _print(sys.stderr, text)
            case {"failed": [problem, remedy, code]}:
                raise _failure(problem, remedy, code)
            case {"exit": int(code)}:
                return code
    raise NotServed(DIED)


def _until_it_breaks(answers: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from answers
    except ConnectionError:
        return


def _print(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:  # nobody reads on
        raise KeyboardInterrupt from None


def _failure(problem: str, remedy: str, code: int) -> BaremeError:
    error = BaremeError(problem, remedy=remedy)
    error.exit_code = type(error.exit_code)(code)
    return error


def _here(order: Order, say: Text | None) -> tuple[int, dict[str, Any] | None]:
    """The exit code of a check that this process makes, and the fork server that it had use for."""
    from harness.host.check import check
    from harness.host.kernels import Offer

    offer = Offer()
    code = check(order, offer, say=say)
    return code, None if offer.wanted is None else asdict(offer.wanted)


def _end(process: int, connection: socket.socket) -> None:
    """Ask the host to end, and see that the process behind the descriptor does."""
    with suppress(TimeoutError):
        frames.send(connection, {"ask": "stop"})
        next(frames.received(connection), None)
        if select.select([process], [], [], ENDING_S)[0]:
            return
    signal.pidfd_send_signal(process, signal.SIGKILL)
    select.select([process], [], [])
