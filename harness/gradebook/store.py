"""The gradebook: every run and each result in it, kept exactly, and the instructor's decisions on top.

Each call is one transaction, and when it returns, no end of the process takes back what it wrote. Once the gradebook is
closed, no power cut does (as far as the disk keeps its word).
Not covered: what is published of it (`exports`), how the database is opened (`database`).
"""

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, RowMapping, Select, Table, delete, func, insert, select, update

from harness.errors import GradebookError, UsageError
from harness.gradebook import overrides as decisions
from harness.gradebook.database import Database
from harness.gradebook.migrations import MIGRATIONS, migrate, version_of
from harness.gradebook.rows import (
    PARTS,
    graded_from,
    override_from,
    override_row,
    part_rows,
    run_from,
    run_row,
    submission_key,
    submission_row,
)
from harness.gradebook.schema import overrides, runs, submissions
from harness.records import Cohort, Graded, Override, RunInfo, Status

Parts = dict[Table, list[RowMapping]]


class Gradebook:
    """An open gradebook; a context manager. One process writes at a time, others may read meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, where: Path | str) -> Self:
        """Open the gradebook at `where` (a path, or a database URL), creating it or bringing it up to date.

        Raises:
            GradebookError: it is locked, damaged, read-only, of something else, or written by a newer bareme.
            UsageError: `where` is no database address, or its driver is not installed.
        """
        database = Database(where)
        try:
            _bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def begin(self, run: RunInfo) -> None:
        """Keep a new run, to which results can then be recorded.

        Raises:
            GradebookError: a run with this id was begun before.
        """
        with self._database.writing() as connection:
            if connection.execute(select(runs.c.number).where(runs.c.id == run.id)).first():
                raise GradebookError(
                    f"run {run.id!r} was begun before", remedy="Resume it, or begin one with a new id."
                )
            connection.execute(insert(runs).values(number=_next_number(connection, runs), **run_row(run)))

    def record(self, run_id: str, graded: Graded) -> None:
        """Keep one result; on return it is safe. The same student's same attempt replaces the earlier one."""
        with self._database.writing() as connection:
            self._known_run(connection, run_id)
            key = submission_key(run_id, graded)
            # what hangs on it goes with it
            connection.execute(delete(submissions).where(*(submissions.c[name] == key[name] for name in key)))
            connection.execute(insert(submissions), submission_row(run_id, graded))
            for table, rows in part_rows(run_id, graded).items():
                if rows:
                    connection.execute(insert(table), rows)

    def finish(self, run_id: str, at: datetime) -> None:
        """Note that every submission of the run has its result."""
        with self._database.writing() as connection:
            self._known_run(connection, run_id)
            connection.execute(update(runs).where(runs.c.id == run_id).values(finished=at))

    def unfinished(self, assignment: str) -> RunInfo | None:
        """The newest run of `assignment` that was not finished: what can be resumed."""
        return self._newest(_newest_first().where(runs.c.assignment == assignment, runs.c.finished.is_(None)))

    def latest(self, assignment: str | None = None) -> RunInfo | None:
        """The newest run, finished or not, of `assignment` or of all."""
        query = _newest_first()
        return self._newest(query if assignment is None else query.where(runs.c.assignment == assignment))

    def runs(self) -> tuple[RunInfo, ...]:
        """Every run, oldest first."""
        with self._database.reading() as connection:
            return tuple(run_from(row) for row in connection.execute(select(runs).order_by(runs.c.number)).mappings())

    def recorded(self, run_id: str) -> frozenset[tuple[str, str, int]]:
        """(student, sha256, attempt) of what is done. Where our side failed it is not: that is tried again."""
        query = select(submissions.c.student, submissions.c.sha256, submissions.c.attempt).where(
            submissions.c.run_id == run_id, submissions.c.status != Status.INFRASTRUCTURE.value
        )
        with self._database.reading() as connection:
            return frozenset((row.student, row.sha256, row.attempt) for row in connection.execute(query))

    def cohort(self, run_id: str) -> Cohort:
        """The run and all its results by student and attempt, the instructor's decisions applied.

        Raises:
            UsageError: there is no such run.
        """
        with self._database.reading() as connection:
            run = run_from(self._known_run(connection, run_id))
            results = self._results(connection, run_id)
            counting = decisions.counting(self._history(connection, run.assignment))
        return Cohort(run, tuple(decisions.apply(graded, counting) for graded in results), counting)

    def override(self, override: Override, *, assignment: str) -> None:
        """Keep the instructor's decision on a student of `assignment`; it counts until the next one on the same.

        Raises:
            UsageError: the newest run of `assignment` has no such student or check, or the points are out of range.
        """
        with self._database.writing() as connection:
            row = connection.execute(_newest_first().where(runs.c.assignment == assignment)).mappings().first()
            if row is None:
                raise UsageError(f"nothing of {assignment!r} was marked", remedy="Mark it first: bareme grade.")
            decisions.validate(override, self._results(connection, row["id"]))
            number = _next_number(connection, overrides)
            values = {"number": number, "assignment": assignment, **override_row(override)}
            connection.execute(insert(overrides), values)

    def overrides(self, assignment: str | None = None) -> tuple[Override, ...]:
        """Every decision ever made (on `assignment`), oldest first."""
        with self._database.reading() as connection:
            return self._history(connection, assignment)

    def _newest(self, query: Select[Any]) -> RunInfo | None:
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else run_from(row)

    def _known_run(self, connection: Connection, run_id: str) -> RowMapping:
        row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
        if row is None:
            known = connection.execute(select(runs.c.id).order_by(runs.c.number)).scalars()
            raise UsageError(
                f"{self._database.name} has no run {run_id!r}",
                remedy=f"Known runs: {', '.join(known) or 'none'}.",
            )
        return row

    def _results(self, connection: Connection, run_id: str) -> list[Graded]:
        parts: dict[tuple[str, int], Parts] = defaultdict(lambda: {table: [] for table in PARTS})
        for table in PARTS:
            query = select(table).where(table.c.run_id == run_id).order_by(table.c.position)
            for row in connection.execute(query).mappings():
                parts[row["student"], row["attempt"]][table].append(row)
        rows = connection.execute(select(submissions).where(submissions.c.run_id == run_id)).mappings()
        results = [graded_from(row, parts[row["student"], row["attempt"]]) for row in rows]
        return sorted(results, key=lambda graded: (graded.candidate.student, graded.candidate.attempt))

    def _history(self, connection: Connection, assignment: str | None) -> tuple[Override, ...]:
        query = select(overrides).order_by(overrides.c.number)
        if assignment is not None:
            query = query.where(overrides.c.assignment == assignment)
        return tuple(override_from(row) for row in connection.execute(query).mappings())


def _bring_up_to_date(database: Database) -> None:
    with database.reading() as connection:
        version = version_of(connection, database.name)
    if version < len(MIGRATIONS):  # else nothing is written, so that reading waits for nobody
        with database.writing() as connection:
            migrate(connection, database.name)


def _newest_first() -> Select[Any]:
    return select(runs).order_by(runs.c.number.desc())


def _next_number(connection: Connection, table: Table) -> int:
    last = connection.execute(select(func.max(table.c.number))).scalar()
    return (last or 0) + 1
