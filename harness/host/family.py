"""Children of the host: each is forked from it and has a channel to it, on which it speaks and whose end is its own.

Not covered: what they do (`worker`, `command`, `stand_in`, `kernels`).
"""

import json
import os
import selectors
import signal
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MESSAGE_BYTES = 160 * 1024  # the system takes 208 KiB in one piece; a worker names some hundred modules


@dataclass(slots=True)
class Child:
    """A process that the host has forked and not yet waited for: its number is its own."""

    pid: int
    channel: socket.socket  # the host's end
    hear: Callable[[Mapping[str, Any]], object]  # what it says
    ended: Callable[[], object]  # called once, when it has
    stays: bool  # also when the host ends: it is somebody else's by then

    def leave_alone(self) -> None:
        """Tell it that it is not wanted any more; it ends in its own time."""
        self.channel.shutdown(socket.SHUT_WR)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Family:
    """All children that live."""

    def __init__(self, events: selectors.BaseSelector, let_go: Callable[[], None]) -> None:
        """What they say comes as `events`, whose data is a function; `let_go` frees a child of what is the host's."""
        self._events = events
        self._let_go = let_go
        self._children: list[Child] = []

    def __bool__(self) -> bool:
        """Whether there are children that end with the host."""
        return any(not child.stays for child in self._children)

    def fork(
        self,
        work: Callable[[socket.socket], None],
        *,
        hear: Callable[[Mapping[str, Any]], object],
        ended: Callable[[], object] = lambda: None,
        stays: bool = False,
    ) -> Child:
        """A child that does `work` with its end of the channel, and nothing else."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with warnings.catch_warnings(), theirs:
            # Python counts the threads of OpenBLAS, which stops them around a fork by itself; there are no others
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
            if pid == 0:
                try:
                    self._become_child()
                    ours.close()
                    work(theirs)
                finally:
                    os._exit(0)  # whatever happened has been told: nothing of the host's may run here
        child = Child(pid, ours, hear, ended, stays)
        self._children.append(child)
        self._events.register(ours, selectors.EVENT_READ, lambda: self._hear(child))
        return child

    def signal(self, number: int) -> None:
        """Send every child a signal that ends with the host."""
        for child in self._children:
            if not child.stays:
                child.signal(number)

    def _become_child(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # by way of SIGINT, which asyncio takes up where it runs: it ends in order, and in silence
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        self._let_go()
        self._events.close()
        for sibling in self._children:
            sibling.channel.close()

    def _hear(self, child: Child) -> None:
        said = child.channel.recv(MESSAGE_BYTES)
        if said:
            child.hear(json.loads(said))
            return
        self._events.unregister(child.channel)
        child.channel.close()
        self._children.remove(child)
        os.waitpid(child.pid, 0)
        child.ended()


def send(channel: socket.socket, message: Mapping[str, Any]) -> None:
    """In a child: say something to the host, which may have ended."""
    with suppress(BrokenPipeError):
        channel.send(json.dumps(message).encode("ascii"))


def move_to(folder: str, environment: Mapping[str, str]) -> None:
    """In a child: be where a command was given, with its environment."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    tempfile.tempdir = None  # found out anew, in this environment
