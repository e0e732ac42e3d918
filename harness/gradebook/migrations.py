"""How a gradebook gets its tables: numbered steps, only ever added to, all applied in one transaction.

A step that has been released is never edited: files that were built by it exist. The comments are part of the SQL
and can be read in the file itself (`.schema` in the sqlite3 shell).
Not covered: opening the file and its errors (`database`), the tables as the code uses them (`schema`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, inspect, select

from harness.errors import GradebookError
from harness.gradebook.schema import schema_version


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; its number is its place in `MIGRATIONS`, from 1."""

    purpose: str
    statements: tuple[str, ...]  # SQL that SQLite and PostgreSQL both read


INITIAL = Migration(
    "runs and everything that was recorded in them",
    (
        """
CREATE TABLE schema_version (  -- which steps this file has had, one row a step
    version INTEGER PRIMARY KEY,
    applied TEXT NOT NULL  -- when, ISO 8601, UTC
)""",
        """
CREATE TABLE runs (  -- one marking run of one assignment over one cohort; never deleted
    number INTEGER PRIMARY KEY,  -- order in which they were begun, from 1
    id TEXT NOT NULL UNIQUE,  -- random, hexadecimal
    course TEXT NOT NULL,
    assignment TEXT NOT NULL,  -- slug
    title_fr TEXT NOT NULL,  -- of the assignment
    title_en TEXT NOT NULL,
    seed TEXT NOT NULL,  -- SECRET: hexadecimal, any size; published nowhere
    seed_id TEXT NOT NULL,  -- public fingerprint of the seed
    started TEXT NOT NULL,  -- ISO 8601, UTC
    finished TEXT,  -- NULL: interrupted, or still going
    bareme_version TEXT NOT NULL,
    environment TEXT NOT NULL,  -- JSON object: versions, the sandbox's name
    device TEXT NOT NULL,  -- cpu, or the name of the accelerator
    jobs BIGINT NOT NULL  -- submissions marked at once
)""",
        """
CREATE TABLE submissions (  -- one attempt of one student in one run, marked
    run_id TEXT NOT NULL REFERENCES runs (id),
    student TEXT NOT NULL,
    attempt BIGINT NOT NULL,  -- from 1, in order of time
    notebook TEXT NOT NULL,  -- path inside what was handed in
    location TEXT NOT NULL,  -- path on the machine that marked
    member TEXT,  -- name inside the archive, NULL for a plain file
    sha256 TEXT NOT NULL,  -- of the notebook, hexadecimal
    submitted_at TEXT NOT NULL,  -- ISO 8601, UTC
    extras TEXT NOT NULL,  -- JSON list: files beside the notebook
    status TEXT NOT NULL,  -- marked, policy, unreadable, infrastructure
    score DOUBLE PRECISION,  -- as computed, before overrides; NULL: our fault, no mark
    max_score DOUBLE PRECISION NOT NULL,
    late_s DOUBLE PRECISION NOT NULL,  -- seconds after the due date
    penalty DOUBLE PRECISION NOT NULL,  -- points, already taken off score
    output_truncated BOOLEAN NOT NULL,
    queued_s DOUBLE PRECISION NOT NULL,  -- wall seconds spent in each stage
    started_s DOUBLE PRECISION NOT NULL,
    executed_s DOUBLE PRECISION NOT NULL,
    checked_s DOUBLE PRECISION NOT NULL,
    peak_memory_bytes BIGINT NOT NULL,
    failure TEXT,  -- what broke on our side, for the instructor
    PRIMARY KEY (run_id, student, attempt)
)""",
        """
CREATE TABLE checks (  -- one outcome of one check for one submission
    run_id TEXT NOT NULL,
    student TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    position INTEGER NOT NULL,  -- order within the submission, from 0
    id TEXT NOT NULL,
    title_fr TEXT NOT NULL,
    title_en TEXT NOT NULL,
    visibility TEXT NOT NULL,  -- public, hidden, after_due
    points DOUBLE PRECISION NOT NULL,  -- as computed, before overrides
    max_points DOUBLE PRECISION NOT NULL,
    outcome TEXT NOT NULL,  -- passed, failed, error, timeout, memory, crashed, policy, missing, skipped, infrastructure
    message_fr TEXT,  -- for the student, NULL when there is none
    message_en TEXT,
    counterexample TEXT,  -- smallest input that differs, Python source
    wall_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_id, student, attempt, position),
    FOREIGN KEY (run_id, student, attempt) REFERENCES submissions (run_id, student, attempt) ON DELETE CASCADE
)""",
        """
CREATE TABLE metrics (  -- one measured quality of one submission
    run_id TEXT NOT NULL,
    student TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    unit TEXT NOT NULL,
    low DOUBLE PRECISION NOT NULL,  -- ends of the 95 percent interval
    high DOUBLE PRECISION NOT NULL,
    baseline DOUBLE PRECISION,
    oracle DOUBLE PRECISION,
    points DOUBLE PRECISION NOT NULL,
    max_points DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_id, student, attempt, position),
    FOREIGN KEY (run_id, student, attempt) REFERENCES submissions (run_id, student, attempt) ON DELETE CASCADE
)""",
        """
CREATE TABLE cells (  -- one code cell of one submission as it ran
    run_id TEXT NOT NULL,
    student TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    position INTEGER NOT NULL,
    cell BIGINT NOT NULL,  -- index in the notebook, from 0
    outcome TEXT NOT NULL,
    wall_s DOUBLE PRECISION NOT NULL,
    error_name TEXT,  -- class of the exception, NULL when none was raised
    error_message TEXT,
    error_traceback TEXT NOT NULL,  -- JSON list, innermost frame last
    error_cell BIGINT,
    error_line BIGINT,
    output TEXT NOT NULL,  -- what it printed, capped
    PRIMARY KEY (run_id, student, attempt, position),
    FOREIGN KEY (run_id, student, attempt) REFERENCES submissions (run_id, student, attempt) ON DELETE CASCADE
)""",
        """
CREATE TABLE notices (  -- remarks on one notebook, and rules that it broke
    run_id TEXT NOT NULL,
    student TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    kind TEXT NOT NULL,  -- notice, policy
    position INTEGER NOT NULL,
    code TEXT NOT NULL,
    text_fr TEXT NOT NULL,
    text_en TEXT NOT NULL,
    cell BIGINT,
    line BIGINT,
    PRIMARY KEY (run_id, student, attempt, kind, position),
    FOREIGN KEY (run_id, student, attempt) REFERENCES submissions (run_id, student, attempt) ON DELETE CASCADE
)""",
    ),
)

OVERRIDES = Migration(
    "decisions of the instructor, kept apart from runs so that they survive each regrade",
    (
        """
CREATE TABLE overrides (  -- decisions of the instructor; the last one on a student and check counts, none is deleted
    number INTEGER PRIMARY KEY,  -- order in which they were made, from 1
    assignment TEXT NOT NULL,  -- slug
    student TEXT NOT NULL,
    check_id TEXT,  -- NULL: the whole submission
    points DOUBLE PRECISION,  -- NULL: a comment only, the computed points count
    comment TEXT NOT NULL,
    author TEXT NOT NULL,
    made TEXT NOT NULL  -- ISO 8601, UTC
)""",
        "CREATE INDEX overrides_by_assignment ON overrides (assignment)",
        "CREATE INDEX runs_by_assignment ON runs (assignment, number)",
    ),
)

MEASUREMENTS = Migration(
    "metrics name their check, their direction, their scale and what was recorded beside them",
    (
        # a comment inside a column's definition is kept in the file, one behind it is not
        "ALTER TABLE metrics ADD COLUMN check_id /* that measured it */ TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE metrics ADD COLUMN title_fr TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE metrics ADD COLUMN title_en TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE metrics ADD COLUMN better /* lower, higher; NULL: from before this was recorded */ TEXT",
        "ALTER TABLE metrics ADD COLUMN anchors /* JSON list, worst first: its scale */ TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE metrics ADD COLUMN facts /* JSON list: recorded beside it */ TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE metrics ADD COLUMN quarantine_fr /* why a person must look; NULL: need not */ TEXT",
        "ALTER TABLE metrics ADD COLUMN quarantine_en TEXT",
        "UPDATE metrics SET check_id = name, title_fr = name, title_en = name",
    ),
)

NATURE = Migration(
    "metrics say whether a clock decides their value, and whether their scale is logarithmic",
    (
        "ALTER TABLE metrics ADD COLUMN timed /* two runs of one notebook differ */ BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE metrics ADD COLUMN logarithmic /* its scale is */ BOOLEAN NOT NULL DEFAULT FALSE",
        # until now both were read off the unit
        "UPDATE metrics SET timed = TRUE, logarithmic = TRUE WHERE unit = '×'",
        "UPDATE metrics SET timed = TRUE WHERE unit IN ('s', 'ms', 'queries/s', 'J', 'J est.', 'gCO2e', 'gCO2e est.')",
    ),
)

MIGRATIONS = (INITIAL, OVERRIDES, MEASUREMENTS, NATURE)


def version_of(connection: Connection, name: str) -> int:
    """The version of the gradebook called `name`, 0 when it is empty.

    Raises:
        GradebookError: the database belongs to something else, or to a newer bareme.
    """
    tables = inspect(connection).get_table_names()
    if schema_version.name not in tables:
        if tables:
            raise GradebookError(
                f"{name} is a database of something else (it has a table {min(tables)!r})",
                remedy="Name another file.",
            )
        return 0
    version = connection.execute(select(func.max(schema_version.c.version))).scalar() or 0
    if version > len(MIGRATIONS):
        raise GradebookError(
            f"{name} has version {version} and was written by a newer bareme (this one knows up to {len(MIGRATIONS)})",
            remedy="Upgrade bareme, or name another folder.",
        )
    return version


def migrate(connection: Connection, name: str) -> None:
    """Apply the steps that are missing, in order. The caller's transaction makes it all or nothing."""
    for number in range(version_of(connection, name) + 1, len(MIGRATIONS) + 1):
        for statement in MIGRATIONS[number - 1].statements:
            connection.exec_driver_sql(statement)
        connection.execute(insert(schema_version).values(version=number, applied=datetime.now(UTC)))
