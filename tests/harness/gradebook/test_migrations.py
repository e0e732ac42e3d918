"""Old files come up to date with nothing lost; new files, foreign files and broken steps are refused whole."""

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.schema import CreateTable

from harness.errors import GradebookError
from harness.gradebook import Gradebook, migrations
from harness.gradebook.migrations import MIGRATIONS, Migration
from harness.gradebook.schema import metadata
from harness.records import Better, Fact, Graded, Override, RunInfo, Text

NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[3] / "docs" / "gradebook.md"
# of the SQL of each released step; a new step adds a line, no line ever changes
DIGESTS = ("07ff1c7706d42aaa", "b440d58399339d37", "b7c6ae964098bf1d", "6dd81de0738bdf63")


@pytest.fixture
def version_1(path: Path) -> Path:
    """A gradebook as version 1 left it, with one run and one result, written without any of our code but its SQL."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in MIGRATIONS[0].statements:
            connection.execute(statement)
        when = "2026-01-01T00:00:00.000000+00:00"
        connection.execute("INSERT INTO schema_version VALUES (1, ?)", (when,))
        connection.execute(
            "INSERT INTO runs VALUES (1, 'old', 'llm', 'ngram', 'fr', 'en', 'ff', 'id',"
            " ?, NULL, '0.0', '{}', 'cpu', 1)",
            (when,),
        )
        connection.execute(
            "INSERT INTO submissions VALUES ('old', 'élodie', 1, 'n.ipynb', '/in/n.ipynb', NULL, 'ab', ?, '[]',"
            " 'marked', 1.5, 4.0, 0.0, 0.0, 0, 0.1, 0.2, 0.3, 0.4, 1000, NULL)",
            (when,),
        )
        connection.execute(
            "INSERT INTO checks VALUES ('old', 'élodie', 1, 0, 'table', 'fr', 'en', 'public', 1.5, 4.0, 'failed',"
            " 'attendu', 'expected', NULL, 0.1)"
        )
        measured = "INSERT INTO metrics VALUES ('old', 'élodie', 1, ?, ?, 2.5, 'bits/byte', 2.4, 2.6, ?, ?, 1.0, 2.0)"
        connection.executemany(
            measured, [(0, "perplexity", 3.0, 2.0), (1, "ndcg@10", 0.2, 0.9), (2, "growth", None, None)]
        )
    return path


def tables_of(path: Path) -> dict[str, list[tuple[str, bool]]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [
                (name, not required) for _, name, _, required, _, _ in connection.execute(f"PRAGMA table_info({table})")
            ]
            for table in names
        }


def test_a_version_1_file_is_migrated_and_keeps_its_results(version_1: Path) -> None:
    assert "overrides" not in tables_of(version_1)
    with Gradebook.open(version_1) as book:
        run = book.latest()
        assert run is not None
        assert run.seed == 255
        (result,) = book.cohort("old").results
        assert (result.candidate.student, result.score, result.checks[0].points) == ("élodie", 1.5, 1.5)
        book.override(Override("élodie", "table", 3.0, "", "instructor", NOON), assignment="ngram")
        assert book.cohort("old").results[0].score == 3.0


def test_metrics_of_an_old_file_get_their_name_as_title_and_check(version_1: Path) -> None:
    with Gradebook.open(version_1) as book:
        (result,) = book.cohort("old").results
    assert [(metric.title.fr, metric.title.en, metric.check) for metric in result.metrics.values()] == [
        (name, name, name) for name in ("perplexity", "ndcg@10", "growth")
    ]
    lower, higher, unknown = result.metrics.values()
    assert (lower.better, higher.better, unknown.better) == (Better.LOWER, Better.HIGHER, Better.LOWER)
    assert (lower.value, lower.low, lower.high, lower.baseline, lower.points) == (2.5, 2.4, 2.6, 3.0, 1.0)
    assert (lower.anchors, lower.facts, lower.quarantine) == ((), (), None)


def test_metrics_of_version_3_keep_their_facts_and_their_unit_says_what_they_are(version_1: Path) -> None:
    recorded = [
        {"fr": "mémoire", "en": "memory", "number": "bits:7ff0000000000000", "unit": "B"},
        {"fr": "carte", "en": "device", "text": "bits:7ff8000000000000", "unit": ""},
    ]
    with closing(sqlite3.connect(version_1)) as connection, connection:
        for statement in (*MIGRATIONS[1].statements, *MIGRATIONS[2].statements):
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (3, '2026-02-01T00:00:00.000000+00:00')")
        connection.execute("UPDATE metrics SET facts = ?", (json.dumps(recorded),))
        for name, unit in (("growth", "×"), ("ndcg@10", "J est.")):
            connection.execute("UPDATE metrics SET unit = ? WHERE name = ?", (unit, name))
    with Gradebook.open(version_1) as book:
        metrics = book.cohort("old").results[0].metrics
    assert {name: (metric.timed, metric.logarithmic) for name, metric in metrics.items()} == {
        "perplexity": (False, False),
        "growth": (True, True),
        "ndcg@10": (True, False),
    }
    assert metrics["growth"].facts == (
        Fact(Text("mémoire", "memory"), math.inf, "B"),
        Fact(Text("carte", "device"), "bits:7ff8000000000000"),
    )


def test_an_old_file_and_a_new_file_end_up_the_same(version_1: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite"
    for path in (version_1, new):
        Gradebook.open(path).close()
    assert tables_of(version_1) == tables_of(new)
    with closing(sqlite3.connect(new)) as connection:
        versions = [version for (version,) in connection.execute("SELECT version FROM schema_version ORDER BY version")]
    assert versions == [1, 2, 3, 4]


def test_the_tables_are_those_of_the_code(path: Path) -> None:
    Gradebook.open(path).close()
    expected = {
        table.name: [(column.name, bool(column.nullable)) for column in table.columns]
        for table in metadata.sorted_tables
    }
    found = tables_of(path)
    for columns in found.values():  # SQLite reports an INTEGER PRIMARY KEY as nullable, though it never is
        columns[:] = [(name, nullable and name not in {"version", "number"}) for name, nullable in columns]
    assert found == expected


def test_the_tables_are_those_of_the_documentation() -> None:
    documented = {}
    for section in re.split(r"^### ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        columns = re.findall(r"^\| (\w+) \|", section, flags=re.MULTILINE)
        if columns[:1] == ["column"]:
            documented[section.split("\n", 1)[0]] = columns[1:]
    assert documented == {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}


def test_the_tables_say_what_they_are_for(path: Path) -> None:
    Gradebook.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        statements = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table'")]
    assert statements
    assert all(re.match(r"CREATE TABLE \w+ \(  -- \w", sql) for sql in statements)


def test_released_steps_are_never_edited() -> None:
    digests = [hashlib.sha256("\n".join(step.statements).encode()).hexdigest()[:16] for step in MIGRATIONS]
    assert tuple(digests) == DIGESTS


def test_postgresql_knows_every_type_that_is_used() -> None:
    dialect = make_url("postgresql://host/marks").get_dialect()()
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))


def test_a_file_of_a_newer_bareme_is_refused_untouched(path: Path) -> None:
    Gradebook.open(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO schema_version VALUES (99, '2030-01-01T00:00:00.000000+00:00')")
    before = path.read_bytes()
    with pytest.raises(GradebookError, match=r"gradebook\.sqlite has version 99 .* newer bareme .*Upgrade bareme"):
        Gradebook.open(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_untouched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(GradebookError, match=r"gradebook\.sqlite is a database of something else .*'bookmarks'"):
        Gradebook.open(path)
    assert list(tables_of(path)) == ["bookmarks"]


def test_a_step_that_breaks_leaves_the_file_as_it_was(version_1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration("breaks half-way", ("CREATE TABLE half (a TEXT)", "INSERT INTO nowhere VALUES (1)"))
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
        patched.setattr("harness.gradebook.store.MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(GradebookError, match="no such table: nowhere"):
            Gradebook.open(version_1)
    assert not {"half", "overrides"} & set(tables_of(version_1))
    Gradebook.open(version_1).close()
    assert "overrides" in tables_of(version_1)


def test_opening_again_applies_nothing_twice(
    path: Path, make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]
) -> None:
    with Gradebook.open(path) as book:
        book.begin(make_run())
        book.record(make_run().id, make_graded())
    with Gradebook.open(path) as book:
        assert book.cohort(make_run().id).results == (make_graded(),)
