"""Where a user's host is found: a folder that only its owner may enter, with a socket, a lock and a log.

Covered: making the folder, refusing one that others could touch, proving who is at the other end of a connection.
Not covered: what is said over the socket (`frames`), who listens there (`server`).
"""

import hashlib
import os
import socket
import stat
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import BaremeError

NAME = "bareme"
NOBODY_ELSE = 0o700
WAITING = 16  # connections that the system keeps until the host looks; a person starts fewer checks at a time
CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group


class PlaceRefused(BaremeError):
    """The folder of the host's socket is not one that this user alone may enter."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder, held open: what happens to its path afterwards does not lead us elsewhere."""

    path: Path
    descriptor: int

    @classmethod
    def open(cls, *, make: bool = False) -> Self:
        """The folder of this user; with `make`, created where it is missing.

        Raises:
            FileNotFoundError: there is none, and it was not to be made.
            PlaceRefused: it is a link, belongs to somebody else, or others may enter.
        """
        path = _path()
        if make:
            path.mkdir(NOBODY_ELSE, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except (NotADirectoryError, PermissionError) as error:
            raise _refused(path) from error
        if not _ours(os.fstat(descriptor)):
            os.close(descriptor)
            raise _refused(path)
        return cls(path, descriptor)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self.descriptor)

    def file(self, kind: str) -> Path:
        """The file of this Python environment called `kind` ("socket", "lock", "log").

        Reached through the folder that is held open; also short enough for a socket (107 bytes), whatever the path.
        """
        return Path(f"/proc/self/fd/{self.descriptor}", self.name(kind))

    @staticmethod
    def name(kind: str) -> str:
        """Its name in the folder: two environments have two hosts."""
        return f"{hashlib.sha256(os.fsencode(sys.prefix)).hexdigest()[:16]}.{kind}"

    def connect(self, *, timeout_s: float) -> socket.socket:
        """A connection to the host of this user, who is also the one that listens.

        Raises:
            OSError: nobody listens, or nothing was heard within `timeout_s`.
            PlaceRefused: somebody else listens.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            connection.connect(str(self.file("socket")))
        except OSError:
            connection.close()
            raise
        if peer(connection)[1] != os.geteuid():
            connection.close()
            raise _refused(self.path)
        return connection

    def listen(self) -> socket.socket:
        """The host's socket; the lock must be held. One that an earlier host left behind makes room."""
        self.file("socket").unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(self.file("socket")))
        listening.listen(WAITING)
        return listening


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user at the other end, as the system vouches for them."""
    answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, user, _ = CREDENTIALS.unpack(answer)
    return pid, user


def _path() -> Path:
    """In the user's folder for sockets where the system gives one, else in the folder for temporary files."""
    given = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if given.is_absolute() and given.is_dir() and _ours(given.stat()):
        return given / NAME
    return Path(tempfile.gettempdir(), f"{NAME}-{os.geteuid()}")


def _ours(facts: os.stat_result) -> bool:
    """Whether it is this user's, and nobody else may enter; false of another user's folder that `su` left in place."""
    return facts.st_uid == os.geteuid() and not stat.S_IMODE(facts.st_mode) & ~NOBODY_ELSE


def _refused(path: Path) -> PlaceRefused:
    return PlaceRefused(
        f"{path} is not a folder that you alone may enter", remedy="Remove it, or set TMPDIR to a folder of yours."
    )
