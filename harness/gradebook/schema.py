"""The tables as the code knows them today, newest version. Their meaning, column by column: docs/gradebook.md.

Not covered: how a file comes to have them (`migrations`, which a test holds equal to this page).
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKeyConstraint, Integer, MetaData, Table

from harness.gradebook.columns import AnyText, ExactFloat, Json, UtcTime

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied", UtcTime, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", AnyText, nullable=False, unique=True),
    Column("course", AnyText, nullable=False),
    Column("assignment", AnyText, nullable=False),
    Column("title_fr", AnyText, nullable=False),
    Column("title_en", AnyText, nullable=False),
    Column("seed", AnyText, nullable=False),
    Column("seed_id", AnyText, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Column("bareme_version", AnyText, nullable=False),
    Column("environment", Json, nullable=False),
    Column("device", AnyText, nullable=False),
    Column("jobs", BigInteger, nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("run_id", AnyText, primary_key=True),
    Column("student", AnyText, primary_key=True),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    Column("notebook", AnyText, nullable=False),
    Column("location", AnyText, nullable=False),
    Column("member", AnyText),
    Column("sha256", AnyText, nullable=False),
    Column("submitted_at", UtcTime, nullable=False),
    Column("extras", Json, nullable=False),
    Column("status", AnyText, nullable=False),
    Column("score", ExactFloat),
    Column("max_score", ExactFloat, nullable=False),
    Column("late_s", ExactFloat, nullable=False),
    Column("penalty", ExactFloat, nullable=False),
    Column("output_truncated", Boolean, nullable=False),
    Column("queued_s", ExactFloat, nullable=False),
    Column("started_s", ExactFloat, nullable=False),
    Column("executed_s", ExactFloat, nullable=False),
    Column("checked_s", ExactFloat, nullable=False),
    Column("peak_memory_bytes", BigInteger, nullable=False),
    Column("failure", AnyText),
    ForeignKeyConstraint(["run_id"], ["runs.id"]),
)


def _part(name: str, *columns: Column[object], kind: bool = False) -> Table:
    """A table with several rows for each submission, in the order of `position`."""
    kinds = [Column("kind", AnyText, primary_key=True)] if kind else []
    return Table(
        name,
        metadata,
        Column("run_id", AnyText, primary_key=True),
        Column("student", AnyText, primary_key=True),
        Column("attempt", BigInteger, primary_key=True, autoincrement=False),
        *kinds,
        Column("position", Integer, primary_key=True, autoincrement=False),
        *columns,
        ForeignKeyConstraint(
            ["run_id", "student", "attempt"],
            ["submissions.run_id", "submissions.student", "submissions.attempt"],
            ondelete="CASCADE",
        ),
    )


checks = _part(
    "checks",
    Column("id", AnyText, nullable=False),
    Column("title_fr", AnyText, nullable=False),
    Column("title_en", AnyText, nullable=False),
    Column("visibility", AnyText, nullable=False),
    Column("points", ExactFloat, nullable=False),
    Column("max_points", ExactFloat, nullable=False),
    Column("outcome", AnyText, nullable=False),
    Column("message_fr", AnyText),
    Column("message_en", AnyText),
    Column("counterexample", AnyText),
    Column("wall_s", ExactFloat, nullable=False),
)

metrics = _part(
    "metrics",
    Column("name", AnyText, nullable=False),
    Column("value", ExactFloat, nullable=False),
    Column("unit", AnyText, nullable=False),
    Column("low", ExactFloat, nullable=False),
    Column("high", ExactFloat, nullable=False),
    Column("baseline", ExactFloat),
    Column("oracle", ExactFloat),
    Column("points", ExactFloat, nullable=False),
    Column("max_points", ExactFloat, nullable=False),
    Column("check_id", AnyText, nullable=False),
    Column("title_fr", AnyText, nullable=False),
    Column("title_en", AnyText, nullable=False),
    Column("better", AnyText),
    Column("anchors", Json, nullable=False),
    Column("facts", Json, nullable=False),
    Column("quarantine_fr", AnyText),
    Column("quarantine_en", AnyText),
    Column("timed", Boolean, nullable=False),
    Column("logarithmic", Boolean, nullable=False),
)

cells = _part(
    "cells",
    Column("cell", BigInteger, nullable=False),
    Column("outcome", AnyText, nullable=False),
    Column("wall_s", ExactFloat, nullable=False),
    Column("error_name", AnyText),
    Column("error_message", AnyText),
    Column("error_traceback", Json, nullable=False),
    Column("error_cell", BigInteger),
    Column("error_line", BigInteger),
    Column("output", AnyText, nullable=False),
)

notices = _part(
    "notices",
    Column("code", AnyText, nullable=False),
    Column("text_fr", AnyText, nullable=False),
    Column("text_en", AnyText, nullable=False),
    Column("cell", BigInteger),
    Column("line", BigInteger),
    kind=True,
)

overrides = Table(
    "overrides",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("assignment", AnyText, nullable=False),
    Column("student", AnyText, nullable=False),
    Column("check_id", AnyText),
    Column("points", ExactFloat),
    Column("comment", AnyText, nullable=False),
    Column("author", AnyText, nullable=False),
    Column("made", UtcTime, nullable=False),
)
