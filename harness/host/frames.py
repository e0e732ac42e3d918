"""What command and host say to each other: one JSON object a line, over a Unix socket.

command → host   {"ask": "check", "identity": ..., "request": ...} | {"ask": "run", "identity": ..., "wanted": ...}
                 | {"ask": "stand in", "identity": ..., "original": ..., "code": ..., "setup": ...}
                 | {"ask": "act", "identity": ..., "original": ..., "call": ...} | {"ask": "status"} | {"ask": "stop"}
host → command   {"refused": why, "stays": whether for this command alone} | {"status": ...}
                 | {"accepted": pid, "address": ...} of a fork server for a run
worker → command {"accepted": pid}, then {"out": text} and {"err": text} as they are printed, and at last
                 {"exit": code} | {"failed": [problem, remedy, code]}; an end without it means that the worker died
stand-in         {"accepted": pid} or {"refused": why}; it receives a byte with descriptors, then says {"standing": pid}
                 and, for a command, at last {"exit": code}

Not covered: who is at the other end (`place`).
"""

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_BYTES = 4 * 1024 * 1024  # of a line: the environment is at most 2 MiB, and a child's message far less


class Unclear(ConnectionError):
    """What came is no frame: another program is there, or another version of this one."""


def send(connection: socket.socket, frame: Mapping[str, Any]) -> None:
    """Send one frame, whole.

    Raises:
        OSError: nobody is there any more.
    """
    connection.sendall(json.dumps(frame).encode("ascii") + b"\n")


def received(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Every frame until the other end closes; each wait is as long as the connection's timeout.

    Raises:
        ConnectionError: it broke, or what came was no frame.
        TimeoutError: nothing came in time.
    """
    with connection.makefile("rb") as stream:
        while line := stream.readline(LONGEST_BYTES):
            yield _frame(line)


def _frame(line: bytes) -> dict[str, Any]:
    try:
        frame = json.loads(line)
    except ValueError as error:
        raise Unclear(str(error)) from error
    if not line.endswith(b"\n") or not isinstance(frame, dict):
        raise Unclear("a line that is no whole object")
    return frame
