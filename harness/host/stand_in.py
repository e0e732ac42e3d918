"""A child of the host that stands in for the process that workers are forked from: it has imported everything already.

A process that has just been started (`runners.preload`) asks for it, hands itself over, and then only waits. The
stand-in runs the very code that it was started with.
Not covered: how a process is handed over (`handover`), what is made ready (`tasks.prepare`).
"""

import os
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from harness.host import frames, identity
from harness.host.ask import NotServed
from harness.host.family import send
from harness.host.handover import STANDARD, become, handed_over
from harness.runners import preload


def ask(setup: preload.Words) -> socket.socket | None:
    """A connection that lasts as long as a stand-in for this process, which has made the call `setup`; None: none does.

    The descriptors beyond the standard ones are the stand-in's alone then.
    """
    *_, option, code = sys.orig_argv  # what this process was told to run
    if option != "-c":
        return None
    with suppress(NotServed), handed_over({"ask": "stand in", "code": code, "setup": setup}) as (original, host):
        for number in set(original.descriptors) - set(STANDARD):
            os.close(number)
        return host.connection.dup()
    return None


def stand_in(connection: socket.socket, request: Mapping[str, Any], channel: socket.socket) -> None:
    """In a child of the host: be the process that `request` tells of, until that has nothing left to do.

    On the `channel` the host learns what it can import for the next.
    """
    known = set(sys.modules)
    ends = become(connection, request, channel)
    if ends is None:
        return
    connection, channel = ends
    preload.load(request["setup"])
    send(channel, {"imported": identity.installed(set(sys.modules) - known), "wanted": None})
    if not preload.forkable():
        return  # the original finds that out by itself, and starts over
    frames.send(connection, {"standing": os.getpid()})
    try:
        exec(request["code"], sys.modules["__main__"].__dict__)  # noqa: S102 - of our own user, from our own command
    except Exception:  # noqa: BLE001 - nobody is above to tell it, as there is above a program
        traceback.print_exc()
