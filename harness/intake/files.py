"""Files that were handed in, in a folder: listed without following links, read under a cap.

Not covered: archives (`archive`, same two methods), and who handed in what (`find`).
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness.errors import InfrastructureError
from harness.intake.texts import UnreadableNotebook

MIB = 2**20
LISTED = 2000  # files listed below one student's folder: far above any notebook's needs, far below a copied disk
IGNORED = frozenset({"__pycache__", "__MACOSX", "node_modules", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, its content not looked at."""

    path: str  # from the root, with "/"
    modified: datetime  # aware, UTC
    link: bool = False  # a symbolic link: listed, never read


class Files(Protocol):
    """A tree of files that were handed in."""

    def entries(self) -> tuple[Entry, ...]:
        """Every file that matters, in order of path within each folder; hidden files and caches do not."""

    def read(self, path: str, *, limit: int) -> bytes:
        """The content of `path`.

        Raises:
            UnreadableNotebook: it cannot be taken, or is larger than `limit` bytes.
            InfrastructureError: the machine does not let us read it.
        """


def ignored(name: str) -> bool:
    """Whether a file or folder called `name` is a cache or hidden, never part of what was handed in."""
    return name.startswith(".") or name in IGNORED


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on disk."""

    root: Path

    def entries(self) -> tuple[Entry, ...]:
        """See `Files.entries`."""
        found: list[Entry] = []
        for child in _children(self.root):
            if child.is_dir(follow_symlinks=False):
                found += self._below(child.name)
            else:
                found.append(_entry(child, child.name))
        return tuple(found)

    def read(self, path: str, *, limit: int) -> bytes:
        """See `Files.read`."""
        file = self.root / path
        with readable(file):
            mode = file.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise UnreadableNotebook("link", path)
            if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
                raise UnreadableNotebook("no-notebook" if stat.S_ISDIR(mode) else "not-a-file", path)
            with file.open("rb") as stream:
                content = stream.read(limit + 1)
        if len(content) > limit:
            raise UnreadableNotebook("too-large", path, limit=limit // MIB)
        return content

    def _below(self, top: str) -> list[Entry]:
        """Breadth first, so that a cap cuts off the deepest files."""
        found: list[Entry] = []
        folders = deque([top])
        while folders and len(found) < LISTED:
            folder = folders.popleft()
            for child in _children(self.root / folder):
                path = f"{folder}/{child.name}"
                if child.is_dir(follow_symlinks=False):
                    folders.append(path)
                else:
                    found.append(_entry(child, path))
        return found[:LISTED]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an InfrastructureError that names `path`."""
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"{path} cannot be read: {error.strerror}", remedy="Give bareme read access to it, then run again."
        ) from error


def _children(folder: Path) -> list[os.DirEntry[str]]:
    with readable(folder), os.scandir(folder) as listing:
        return sorted((child for child in listing if not ignored(child.name)), key=lambda child: child.name)


def _entry(child: os.DirEntry[str], path: str) -> Entry:
    with readable(Path(child.path)):
        modified = child.stat(follow_symlinks=False).st_mtime
    return Entry(path, datetime.fromtimestamp(modified, UTC), child.is_symlink())
