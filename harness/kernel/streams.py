"""What a notebook prints, inside the kernel: streams over ipykernel's, which end where the allowance ends.

The stream objects exist before their sockets: whatever is loaded ahead of a fork may keep `sys.stdout` (a logging
handler does), and must then hold the one that the notebook's output goes through.
Not covered: what becomes of it (ipykernel's thread for output), displayed objects (app).
"""

# ipykernel declares few types, hence:
# mypy: disable-error-code="no-untyped-call"

import fcntl
import os
import select
import sys
import termios
import threading
from collections.abc import Iterator
from typing import Any

from ipykernel.iostream import OutStream

from .protocol import utf8

PIECE = 2**16  # characters of output in one message: far below what the grader accepts
INT_BYTES = 4  # of C's int, in which Linux tells how much a pipe holds
NAMES = ("stdout", "stderr")


class CappedStream(OutStream):
    """Passes output on in pieces until the notebook's allowance is used up, then drops it.

    Made without `__init__`, and initialised once there are sockets; what is written before is kept in `said`.
    """

    left = 0  # characters, of both streams together
    _passing_on = threading.RLock()  # a signal's handler may print, too
    _leaving = False  # what was buffered here is being sent, piece by piece, by ipykernel's thread
    pub_thread = None
    said: list[tuple["CappedStream", str]] = []  # noqa: RUF012  (of both together)

    def write(self, string: str) -> int:
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        if self.pub_thread is None:
            CappedStream.said.append((self, string))
            return len(string)
        kept = utf8(string[: CappedStream.left])
        CappedStream.left -= len(kept)
        if kept:
            super().write(kept)
        return len(string)

    def flush(self) -> None:
        """Send what there is; ipykernel asks four times for each cell, and would wait for its thread each time."""
        if self.pub_thread is not None:
            if self._is_master_process():  # in a process that the notebook has forked the lock may be held for ever
                self._pass_on()
            # in this order: buffers are emptied by somebody who has said before that their content is leaving
            if self._buffers or self._leaving:
                super().flush()

    def _watch_pipe_fd(self) -> None:
        """As its base class, in a thread, which alone would often come after the end of a cell."""
        assert self._fid is not None  # noqa: S101  # since it was opened
        waiting = select.poll()
        waiting.register(self._fid, select.POLLIN)
        while waiting.poll()[0][1] & select.POLLIN and self._should_watch:  # else the notebook has closed it
            self._pass_on()

    def _pass_on(self) -> None:
        """Write what has been written to the descriptor until now, past Python."""
        assert self._fid is not None  # noqa: S101  # since it was opened
        with self._passing_on:
            left = int.from_bytes(fcntl.ioctl(self._fid, termios.FIONREAD, bytes(INT_BYTES)), sys.byteorder)
            while left > 0:
                data = os.read(self._fid, min(left, PIECE))
                self.write(data.decode(errors="replace"))
                os.write(self._original_stdstream_copy, data)
                left -= len(data)

    def isatty(self) -> bool:
        return False

    def _flush_buffers(self) -> Iterator[tuple[dict[str, Any], str]]:
        self._leaving = True
        try:
            for parent, text in super()._flush_buffers():
                for start in range(0, len(text), PIECE):
                    yield parent, text[start : start + PIECE]
        finally:
            self._leaving = False


class Streams:
    """Both streams: in place while something is loaded ahead, and for good once they are open."""

    def __init__(self) -> None:
        """Nothing is in place yet."""
        self._capped = {name: CappedStream.__new__(CappedStream) for name in NAMES}

    def __enter__(self) -> None:
        self._real = {name: getattr(sys, name) for name in NAMES}
        for name in NAMES:
            setattr(sys, name, self._capped[name])

    def __exit__(self, *exception: object) -> None:
        for name in NAMES:
            setattr(sys, name, self._real[name])

    @staticmethod
    def take() -> list[tuple[CappedStream, str]]:
        """What has been written since the last time, while nothing was open."""
        said, CappedStream.said = CappedStream.said, []
        return said

    def open(self, session: Any, thread: Any, *, characters: int) -> None:
        """Connect them to ipykernel's `thread` for output; `characters` may be written to both together."""
        CappedStream.left = characters
        for name, stream in self._capped.items():
            OutStream.__init__(stream, session, thread, name)  # also takes descriptor 1 or 2 over
            setattr(sys, name, stream)


STREAMS = Streams()
