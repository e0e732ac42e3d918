"""Whatever happens to process, file or disk: what was recorded stays, and what is wrong is said in one line."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import ExitCode, GradebookError, UsageError
from harness.gradebook import Gradebook, database
from harness.records import Graded, RunInfo

KILLS = 20
VICTIM = Path(__file__).with_name("record_forever.py")


@pytest.fixture
def run(make_run: Callable[..., RunInfo]) -> RunInfo:
    return make_run()


@pytest.fixture
def graded(make_graded: Callable[..., Graded]) -> Graded:
    return make_graded()


def begin(path: Path, run: RunInfo, graded: Graded) -> None:
    with Gradebook.open(path) as book:
        book.begin(run)
        book.record(run.id, graded)


@pytest.mark.slow
def test_killed_at_any_moment_it_keeps_all_that_was_reported(path: Path) -> None:
    chance = random.Random(1)
    reported: set[int] = set()
    for _ in range(KILLS):
        # some die while they open the file, the others in the midst of their work
        lines, pause_s = (0, chance.uniform(0, 1)) if chance.random() < 0.3 else (chance.randint(1, 40), 0.0)
        reported |= _record_and_die(path, 1 + max(reported, default=0), lines, pause_s)
        with Gradebook.open(path) as book:
            latest = book.latest()
            results = book.cohort(latest.id).results if latest else ()
        kept = {int(graded.candidate.sha256, 16): graded for graded in results}
        assert reported <= set(kept)
        assert all(len(graded.cells[0].output.split()) == 2000 for graded in kept.values())
    assert len(reported) > KILLS
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _record_and_die(path: Path, first: int, lines: int, pause_s: float) -> set[int]:
    """Start the recorder, kill it after `lines` reports and a pause, return what it reported until then."""
    command = [sys.executable, str(VICTIM), str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        reports = [victim.stdout.readline() for _ in range(lines)]
        time.sleep(pause_s)
        victim.kill()
        reports += victim.stdout.readlines()
    return {int(report) for report in reports if report.endswith("\n")}


def test_the_file_outlives_a_power_cut(path: Path) -> None:
    # which cannot be staged here, so this holds the settings on which the promise rests
    with Gradebook.open(path) as book, book._database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # NORMAL
    assert not path.with_name(f"{path.name}-wal").exists()  # merged into the file, for which SQLite syncs both


def test_others_read_what_was_committed_while_one_writes(path: Path, run: RunInfo, graded: Graded) -> None:
    begin(path, run, graded)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM submissions")
        with Gradebook.open(path) as one, Gradebook.open(path) as two:
            assert one.cohort(run.id) == two.cohort(run.id)
            assert one.cohort(run.id).results == (graded,)
        writer.execute("ROLLBACK")


def test_a_locked_file_is_said_to_be_locked(
    path: Path, run: RunInfo, graded: Graded, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(path, run, graded)
    monkeypatch.setattr(database, "BUSY_WAIT_S", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer, Gradebook.open(path) as book:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(GradebookError, match=r"gradebook\.sqlite is locked by another process\. Wait"):
            book.record(run.id, graded)
        writer.execute("ROLLBACK")
        book.record(run.id, graded)


def test_a_writer_locks_before_it_reads(path: Path, run: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_WAIT_S", 0.01)
    with Gradebook.open(path) as one, Gradebook.open(path) as two:
        with one._database.writing(), pytest.raises(GradebookError, match="is locked"):
            two.begin(run)
        assert two.runs() == ()


@pytest.mark.parametrize("kept", [100, 5000, 20_000])
def test_a_file_cut_short_is_refused(kept: int, path: Path, run: RunInfo, graded: Graded) -> None:
    begin(path, run, graded)
    content = path.read_bytes()
    assert len(content) > 20_000
    path.write_bytes(content[:kept])
    with pytest.raises(GradebookError, match=r"gradebook\.sqlite is damaged or cut short\. Restore it") as caught:
        Gradebook.open(path)
    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE


def test_a_file_that_is_no_database_is_refused_untouched(path: Path) -> None:
    path.write_text("student,score\n" * 1000)
    with pytest.raises(GradebookError, match=r"gradebook\.sqlite is not a gradebook, or is damaged"):
        Gradebook.open(path)
    assert path.read_text() == "student,score\n" * 1000


def test_damage_inside_is_found_on_reading(path: Path, run: RunInfo, graded: Graded) -> None:
    begin(path, run, graded)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(GradebookError, match="damaged"), Gradebook.open(path) as book:
        book.cohort(run.id)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE checks SET outcome = 'splendid'",
        "UPDATE submissions SET score = 'a lot'",
        "UPDATE submissions SET extras = '['",
        "UPDATE submissions SET submitted_at = 'yesterday'",
    ],
)
def test_values_that_were_never_written_by_bareme_are_refused(
    change: str, path: Path, run: RunInfo, graded: Graded
) -> None:
    begin(path, run, graded)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    with Gradebook.open(path) as book, pytest.raises(GradebookError, match="holds what bareme never writes"):
        book.cohort(run.id)


def test_an_empty_file_is_a_new_gradebook(path: Path) -> None:
    path.touch()
    with Gradebook.open(path) as book:
        assert book.runs() == ()


def test_only_its_owner_can_read_it(path: Path, run: RunInfo) -> None:
    with Gradebook.open(path) as book:
        book.begin(run)
        assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
            "gradebook.sqlite": 0o600,
            "gradebook.sqlite-wal": 0o600,
            "gradebook.sqlite-shm": 0o600,
        }


@pytest.mark.slow
def test_a_limit_on_file_sizes_is_told_as_a_disk_that_cannot_be_written(path: Path) -> None:
    limited = f"import resource, runpy, sys; sys.argv = ['record', {str(path)!r}, '1']\n"
    limited += f"resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); runpy.run_path({str(VICTIM)!r})"
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=False)
    assert "GradebookError: gradebook" in done.stderr
    assert "gradebook.sqlite cannot be read or written. Check the disk" in done.stderr
    with Gradebook.open(path) as book:
        assert len(book.cohort("run").results) == len(done.stdout.split()) > 0


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(GradebookError, match=r"absent/gradebook\.sqlite cannot be opened .*Create its folder"):
        Gradebook.open(tmp_path / "absent" / "gradebook.sqlite")


def test_a_url_opens_the_same_gradebook(path: Path, run: RunInfo, graded: Graded) -> None:
    begin(path, run, graded)
    with Gradebook.open(f"sqlite:///{path}") as book:
        assert book.cohort(run.id).results == (graded,)


@pytest.mark.parametrize(
    ("url", "problem"), [("://", "no"), ("oracle9i://marks", "driver"), ("mssql://u:pw@h/d", "driver")]
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        Gradebook.open(url)
    assert "pw" not in str(caught.value)


@pytest.mark.slow
def test_a_full_disk_is_said_to_be_full_and_keeps_what_was_recorded(on_small_disk: Callable[[str], str]) -> None:
    said = on_small_disk(f"""
        import runpy, sys
        sys.argv = ["record", str(disk / "gradebook.sqlite"), "1"]
        try:
            runpy.run_path({str(VICTIM)!r})
        except BaremeError as error:
            print(type(error).__name__, error)
        with Gradebook.open(disk / "gradebook.sqlite") as book:
            print(len(book.cohort("run").results))
    """)
    *reported, problem, kept = said.splitlines()
    assert problem.startswith("GradebookError gradebook ")
    assert "gradebook.sqlite cannot grow: the disk is full. Free some space" in problem
    assert len(reported) > 3
    assert int(kept) == len(reported)


@pytest.mark.slow
def test_a_read_only_disk_is_said_to_be_read_only(on_small_disk: Callable[[str], str]) -> None:
    said = on_small_disk("""
        Gradebook.open(disk / "gradebook.sqlite").close()
        subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
        try:
            Gradebook.open(disk / "gradebook.sqlite")
        except BaremeError as error:
            print(type(error).__name__, error)
    """)
    assert said.startswith("GradebookError gradebook ")
    assert "cannot be opened for writing (Read-only file system)" in said


def test_a_file_made_read_only_while_open_is_said_to_be_read_only(path: Path, run: RunInfo, graded: Graded) -> None:
    begin(path, run, graded)
    with Gradebook.open(path) as book:
        with book._database._engine.connect() as connection:  # SQLite's own switch: permissions do not stop root
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(GradebookError, match=r"is read-only\. Allow writing"):
            book.record(run.id, graded)
