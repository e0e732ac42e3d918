"""Files that were handed in, in a zip archive: never unpacked to disk, no header believed, each content under a cap.

Covered: bombs, passwords, links, devices, `..`, absolute names, backslashes, names twice, names in UTF-8 or code page
437, damaged members. Not covered: archives within the archive; they are files like any other.
"""

import errno
import stat
import struct
import zipfile
import zlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import UsageError
from harness.intake.files import MIB, Entry, ignored, readable
from harness.intake.texts import UnreadableNotebook

MEMBERS = 100_000  # a cohort of 500 with 200 files each
TOTAL = 2048 * MIB  # content taken from one archive while it is open
RATIO = 200  # content to compressed bytes; notebooks with printed outputs reach about 30
RATIO_FREE = 8 * MIB  # below this size no ratio is suspect: a small table of zeros is honest
CHUNK = MIB
UTF8_NAME = 0x800  # general purpose bit 11
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others can ask for gigabytes of decoder memory
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, OverflowError)


class Archive:
    """A zip archive, open while in use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the archive.

        Raises:
            UsageError: it is damaged, or larger than any cohort.
        """
        try:
            with readable(path):
                self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            raise UsageError(f"{path} is not a complete zip archive: {error}", remedy="Download it again.") from error
        members = [info for info in self._zip.infolist() if not info.is_dir() and not _hidden(member_path(info))]
        if len(members) > MEMBERS:
            self._zip.close()
            raise UsageError(f"{path} holds {len(members)} files", remedy=f"Split it: at most {MEMBERS} are read.")
        self._path = path
        self._taken = 0  # bytes of content so far
        self._members = {member_path(info): info for info in members}
        self._copies = Counter(member_path(info) for info in members)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def entries(self) -> tuple[Entry, ...]:
        """See `Files.entries`."""
        return tuple(
            Entry(path, _modified(info), stat.S_ISLNK(_mode(info))) for path, info in sorted(self._members.items())
        )

    def read(self, path: str, *, limit: int) -> bytes:
        """See `Files.read`."""
        info = self._members.get(path)
        if info is None:  # a folder: `find` names it where a student handed in no notebook
            raise UnreadableNotebook("no-notebook", path)
        if problem := _problem(info, copies=self._copies[path]):
            raise UnreadableNotebook(problem, path)
        with readable(self._path):
            try:
                return self._inflate(info, path, limit=limit)
            except BROKEN as error:
                raise UnreadableNotebook("damaged-archive", path) from error
            except OSError as error:
                if error.errno != errno.EINVAL:  # an offset that points before the start of the file
                    raise
                raise UnreadableNotebook("damaged-archive", path) from error

    def _inflate(self, info: zipfile.ZipInfo, path: str, *, limit: int) -> bytes:
        content = bytearray()
        with self._zip.open(info) as stream:
            while chunk := stream.read(CHUNK):
                content += chunk
                self._taken += len(chunk)
                if len(content) > max(RATIO_FREE, RATIO * info.compress_size):
                    raise UnreadableNotebook("bomb", path)
                if len(content) > limit:
                    raise UnreadableNotebook("too-large", path, limit=limit // MIB)
                if self._taken > TOTAL:
                    raise UsageError(
                        f"{self._path} expands to more than {TOTAL // MIB} MiB", remedy="Unpack it and name the folder."
                    )
        return bytes(content)


def member_path(info: zipfile.ZipInfo) -> str:
    """A member's path with "/", nothing pointing upwards; `_problem` refuses those that did."""
    return "/".join(part for part in _name(info).replace("\\", "/").split("/") if part not in {"", ".", ".."})


def _name(info: zipfile.ZipInfo) -> str:
    """The name as its author meant it: many tools write UTF-8 without the flag that says so."""
    if info.flag_bits & UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _hidden(path: str) -> bool:
    return not path or any(ignored(part) for part in path.split("/"))


def _mode(info: zipfile.ZipInfo) -> int:
    return info.external_attr >> 16  # 0 where the archive comes from a system without modes


def _problem(info: zipfile.ZipInfo, *, copies: int) -> str | None:
    """Why a member is not even opened, as a code of `texts.UNREADABLE`."""
    name = _name(info).replace("\\", "/")
    kind = stat.S_IFMT(_mode(info))
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        return "unsafe-name"
    if copies > 1:
        return "duplicate-name"
    if kind == stat.S_IFLNK:
        return "link"
    if kind not in {0, stat.S_IFREG}:
        return "not-a-file"
    if info.flag_bits & ENCRYPTED:
        return "encrypted"
    return None if info.compress_type in METHODS else "damaged-archive"


def _modified(info: zipfile.ZipInfo) -> datetime:
    """Zip entries carry a local time without its zone; it is taken as UTC."""
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:  # month 0: no date was written
        return datetime(1980, 1, 1, tzinfo=UTC)
