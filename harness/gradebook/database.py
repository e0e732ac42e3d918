"""Opening the database behind a gradebook, and saying in one line what is wrong with it.

Covers: connections (SQLite in WAL mode, synced when it is closed; any other SQLAlchemy URL as it comes), transactions,
and the translation of database errors. Not covered: tables (`schema`, `migrations`), what is stored in them (`store`).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from harness.errors import GradebookError, UsageError

BUSY_WAIT_S = 10.0  # longer than any transaction of ours holds the file; after that another program has it
OWNER_ONLY = 0o600  # the gradebook holds the secret seed and everyone's marks
AGAIN = "then run the command again (grade: with --resume)."

# how SQLite's error name begins -> what is wrong, what to do
FAULTS = {
    "SQLITE_BUSY": ("is locked by another process", f"Wait until that has ended, {AGAIN}"),
    "SQLITE_LOCKED": ("is locked by another process", f"Wait until that has ended, {AGAIN}"),
    "SQLITE_FULL": ("cannot grow: the disk is full", f"Free some space, {AGAIN}"),
    "SQLITE_READONLY": ("is read-only", f"Allow writing to the file and its folder, {AGAIN}"),
    "SQLITE_PERM": ("is read-only", f"Allow writing to the file and its folder, {AGAIN}"),
    "SQLITE_CORRUPT": ("is damaged or cut short", "Restore it from a copy, or move it away and mark again."),
    "SQLITE_NOTADB": ("is not a gradebook, or is damaged", "Restore it from a copy, or name another folder."),
    "SQLITE_CANTOPEN": ("cannot be opened", f"Allow reading and writing the file and its folder, {AGAIN}"),
    "SQLITE_IOERR": ("cannot be read or written", f"Check the disk (full, over quota, unplugged, failing), {AGAIN}"),
}


class Database:
    """A database, its name for messages, and its two kinds of transaction."""

    def __init__(self, where: Path | str) -> None:
        url = _url(where)
        is_file = url.get_backend_name() == "sqlite"
        self.name = f"gradebook {url.database if is_file else url.render_as_string(hide_password=True)}"
        self._engine = _engine(url)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and holds nobody up."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends, and leaves no trace if it raises."""
        with self._translated(), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back; the write-ahead log is merged into the file, which is then on the disk."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            problem, remedy = _fault(error)
            raise GradebookError(f"{self.name} {problem}", remedy=remedy) from error
        except ValueError as error:  # from making records of rows
            raise GradebookError(
                f"{self.name} holds what bareme never writes ({error})", remedy="Restore it from a copy, or mark again."
            ) from error


def _url(where: Path | str) -> URL:
    if isinstance(where, Path) or "://" not in where:
        path = Path(where).absolute()
        _create_private(path)
        return URL.create("sqlite", database=str(path))
    try:
        return make_url(where)
    except ArgumentError as error:
        raise UsageError(
            "the gradebook's address is not a database URL", remedy="Write it as SQLAlchemy does."
        ) from error


def _create_private(path: Path) -> None:
    """SQLite would create the file readable by all; its log files take over the permissions of the file."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
    except OSError as error:
        raise GradebookError(
            f"gradebook {path} cannot be opened for writing ({error.strerror})",
            remedy=f"Create its folder or allow writing there, {AGAIN}",
        ) from error


def _engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    # transactions are begun by `_begin` alone: the driver would begin them late, and leave CREATE TABLE outside
    arguments: dict[str, Any] = {"timeout": BUSY_WAIT_S, "isolation_level": None} if is_sqlite else {}
    try:
        engine = create_engine(url, connect_args=arguments)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise UsageError(
            f"no driver for the gradebook's address {url.render_as_string(hide_password=True)} ({error})",
            remedy="Correct it, or install that driver.",
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set up one SQLite connection."""
    connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not hold each other up
    # A commit is in the system's hands before it is reported: nothing that ends the grader takes it back. Disks,
    # some of which take 20 ms a submission, are waited for at checkpoints and at the end only: a power cut may cost the
    # last results, which are marked again with --resume, and never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    """Writers lock at once, so that none finds out half-way that another was faster."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _fault(error: SQLAlchemyError) -> tuple[str, str]:
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", "")
    for prefix, fault in FAULTS.items():
        if name.startswith(prefix):
            return fault
    return f"cannot be used: {cause}", "Check the database, then run the command again."
