"""A file is replaced as a whole or not at all, whatever ends the program or fills the disk.

Not covered: the gradebook itself, which is SQLite's to keep (`database`).
"""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from harness.errors import InfrastructureError

REMEDIES = {
    errno.ENOSPC: "Free some space on that disk, then run bareme report.",
    errno.EDQUOT: "Free some of your quota on that disk, then run bareme report.",
    errno.EFBIG: "Raise the limit on file sizes (ulimit -f), then run bareme report.",
}
OTHERWISE = "Make that folder exist and be writable, then run bareme report."


def write(path: Path, content: bytes) -> None:
    """Make `path` hold `content`; until then it is what it was, and afterwards it is on the disk.

    Raises:
        InfrastructureError: it cannot be written (disk full, read-only, no such folder); `path` is untouched.
    """
    # another name each time: two writers must not meet in one file
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write_new(part, content)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise InfrastructureError(
            f"{path} cannot be written ({error.strerror})", remedy=REMEDIES.get(error.errno or 0, OTHERWISE)
        ) from error
    finally:
        with suppress(OSError):  # renamed, or never made; the folder may be gone
            part.unlink()


def _write_new(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """The new name is in the folder: that too must reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
