"""Where answers of the oracle are kept while a cohort is marked: in this worker, and in a folder for all workers.

Only bytes come in and go out, under names that say what they answer. What lies in the folder is complete: a file gets
its name once all of it is written. Both have a size that they do not exceed.
Not covered: which answers may be kept, and what their bytes mean (`memo`).
"""

import fcntl
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MEMORY_BYTES = 64 * 2**20  # in one worker: of ten thousand inputs, answers of a few kB each
FOLDER_BYTES = 256 * 2**20  # written by one worker
COUNT_BYTES = 8  # before each part: its length
Parts = Sequence[bytes | memoryview]


class Answers:
    """Bytes by name."""

    def __init__(self, folder: Path | None, *, memory_bytes: int = MEMORY_BYTES) -> None:
        """`folder` is there, and only the grader can read it; None where there is one worker."""
        self.folder = folder
        self._kept: OrderedDict[str, bytes] = OrderedDict()  # the one used last at the end
        self._memory_left = memory_bytes
        self._folder_left = FOLDER_BYTES

    def recall(self, name: str) -> list[bytes] | None:
        """The parts kept under `name` by this worker or another one."""
        written = self._kept.get(name) or self._read(name)
        if written is None:
            return None
        self._remember(name, written)
        return list(_parts(written))

    def keep(self, name: str, parts: Parts) -> None:
        """Keep `parts` for this worker and all others."""
        written = b"".join(piece for part in parts for piece in (len(part).to_bytes(COUNT_BYTES, "little"), part))
        self._remember(name, written)
        if self.folder is not None and len(written) <= self._folder_left:
            self._folder_left -= len(written)
            with suppress(OSError):  # a full disk: the others compute it by themselves
                _write(self.folder / name, written)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """While no other worker is busy with `name`; one that dies gives it free."""
        if self.folder is None:
            yield
            return
        descriptor = os.open(self.folder / f"{name}.busy", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self, name: str) -> bytes | None:
        if self.folder is None:
            return None
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _remember(self, name: str, written: bytes) -> None:
        self._memory_left += len(self._kept.pop(name, b""))
        self._kept[name] = written
        self._memory_left -= len(written)
        while self._memory_left < 0:
            _, oldest = self._kept.popitem(last=False)
            self._memory_left += len(oldest)


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)


def _parts(written: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(written):
        end = start + COUNT_BYTES
        length = int.from_bytes(written[start:end], "little")
        yield written[end : end + length]
        start = end + length
