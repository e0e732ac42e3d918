"""One check in a fresh child of the host: takes over the command's surroundings, and ends with the command.

Covered: what is printed goes to the command; the command's end, however it comes, ends the kernel at once.
Not covered: the check (`check`), the host (`server`).
"""

import io
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.errors import BaremeError
from harness.host import frames, identity
from harness.host.check import check
from harness.host.family import move_to, send
from harness.host.kernels import Offer
from harness.host.order import Request, Stream, Surroundings
from harness.runners.local import end_everything

FAILED = 1  # what Python exits with after an exception that nobody caught
HEEDED_S = 10.0  # for the main thread to come out of whatever it computes; then everything is ended by force


class Relay(io.TextIOBase):
    """A text stream that ends in the command's own."""

    def __init__(self, connection: socket.socket, kind: str, facts: Stream) -> None:
        """`kind` is the frame's: "out" or "err"."""
        self._connection = connection
        self._kind = kind
        self._facts = facts

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io says str | None and an attribute
        """The command's own: it decides which characters can be shown."""
        return self._facts.encoding

    def isatty(self) -> bool:
        return self._facts.terminal

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        frames.send(self._connection, {self._kind: text})
        return len(text)


def work(
    connection: socket.socket, request: Mapping[str, Any], addresses: Mapping[str, str], channel: socket.socket
) -> None:
    """Do the check that was asked for over `connection`; `addresses`: of fork servers, see `kernels.Offer`.

    On the `channel` the host learns what it can make ready for the next check.
    """
    known, offer = set(sys.modules), Offer(addresses)
    connection.settimeout(None)
    wanted = Request.from_json(request)
    _take_over(wanted.surroundings, connection)
    threading.Thread(target=_end_with, args=(connection,), name="end with the command", daemon=True).start()
    with suppress(KeyboardInterrupt, ConnectionError):  # nobody is there any more to be told
        frames.send(connection, {"accepted": os.getpid()})
        outcome = _outcome(wanted, offer)
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # the command ends when it has been told, and that is no matter now
        frames.send(connection, outcome)
        imported = identity.installed(name for name in sys.modules if name not in known)
        send(channel, {"imported": imported, "wanted": None if offer.wanted is None else asdict(offer.wanted)})


def _outcome(request: Request, offer: Offer) -> dict[str, Any]:
    try:
        return {"exit": check(request.order, offer)}
    except BaremeError as error:
        return {"failed": [error.problem, error.remedy, error.exit_code]}
    except Exception:  # noqa: BLE001 - the boundary: the command shows it as its own
        traceback.print_exc()
        return {"exit": FAILED}


def _take_over(around: Surroundings, connection: socket.socket) -> None:
    move_to(around.folder, around.environment)
    np.random.seed()  # Python's own generator notices a fork, this one does not
    sys.stdout = Relay(connection, "out", around.out)
    sys.stderr = Relay(connection, "err", around.err)


def _end_with(connection: socket.socket) -> None:
    """Wait for the command to end; then stop the check as Ctrl-C would, and if need be by force."""
    with suppress(ConnectionError):
        connection.recv(1)  # it sends nothing more: this is its end
    # to the main thread, which may be waiting for the kernel
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(HEEDED_S)
    end_everything()
