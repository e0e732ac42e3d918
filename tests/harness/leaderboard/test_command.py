"""`bareme leaderboard` on real gradebooks: several folders, one page, names kept apart, one line when it cannot."""

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness import cli
from harness.errors import BaremeError, ConfigurationError, UsageError
from harness.gradebook import Gradebook
from harness.records import Cohort, Outcome, Status

TABLES = """
[[boards]]
title = { fr = "Texte frais", en = "Fresh text" }
public = "bits"
private = "bits_private"
step = 0.01

[[fronts]]
title = { fr = "Qualité et énergie", en = "Quality and energy" }
quality = "bits"
cost = "energy"
"""
Invoke = Callable[..., Result]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The bundled course, with boards."""
    ignored = shutil.ignore_patterns("cohort")
    folder = Path(shutil.copytree(cli.bundled_course().folder, tmp_path / "course", ignore=ignored))
    with (folder / "ngram" / "assignment.toml").open("a", encoding="utf-8") as file:
        file.write(TABLES)
    return folder


@pytest.fixture
def folders(tmp_path: Path, make: Any) -> tuple[Path, Path]:
    """Two --out folders: two runs in the first, one in the second."""
    first, second = tmp_path / "one", tmp_path / "two"
    keep(
        first,
        make.run(1, make.marked("ada", "a", bits=2.31, bits_private=2.71, energy=4.0), make.marked("ben", bits=2.5)),
        make.run(3, make.marked("ada", "a", bits=2.0, bits_private=2.73, energy=4.0)),
    )
    keep(
        second,
        make.run(2, make.marked("cleo", bits=2.2, bits_private=2.4, energy=8.0)),
        make.run(4, make.failing("dan", Status.INFRASTRUCTURE), make.marked("eve", bits=Outcome.FAILED)),
    )
    return first, second


def keep(folder: Path, *runs: Cohort) -> None:
    folder.mkdir()
    with Gradebook.open(folder / "gradebook.sqlite") as gradebook:
        for cohort in runs:
            gradebook.begin(cohort.run)
            for graded in cohort.results:
                gradebook.record(cohort.run.id, graded)


@pytest.fixture
def bareme(course: Path) -> Invoke:
    def invoke(*arguments: object) -> Result:
        line = ["leaderboard", *map(str, arguments), "--course", str(course)]
        return CliRunner().invoke(cli.app, line)

    return invoke


def raised(result: Result) -> BaremeError:
    assert isinstance(result.exception, BaremeError), result.output
    return result.exception


def board(out: Path, name: str = "leaderboard") -> dict[str, Any]:
    return json.loads((out / f"{name}.json").read_text(encoding="utf-8"))["assignments"][0]["boards"][0]


def test_two_folders_make_one_board(bareme: Invoke, folders: tuple[Path, Path]) -> None:
    done = bareme(*folders, "--names", "--lang", "en")
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(folders[0] / "leaderboard.html")
    found = board(folders[0], "leaderboard-instructor")
    assert [(entry["student"], entry["value"]) for entry in found["entries"]] == [
        ("cleo", 2.2), ("ada", 2.31), ("ben", 2.5),
    ]  # fmt: skip
    assert [(aside["student"], aside["reason"]) for aside in found["unranked"]] in (
        [("dan", "infrastructure"), ("eve", "refused")],
        [("eve", "refused"), ("dan", "infrastructure")],
    )
    assert "Fresh text" in (folders[0] / "leaderboard.html").read_text(encoding="utf-8")
    assert not (folders[1] / "leaderboard.html").exists()


def test_only_the_instructors_files_have_names(bareme: Invoke, folders: tuple[Path, Path]) -> None:
    bareme(*folders)
    assert not list(folders[0].glob("leaderboard-instructor*"))
    bareme(*folders, "--names")
    for path in (folders[0] / "leaderboard.html", folders[0] / "leaderboard.json"):
        text = path.read_text(encoding="utf-8")
        assert [
            name for name in ("ada", "ben", "cleo", "dan", "eve") if f">{name}<" in text or f'"{name}"' in text
        ] == []
        assert not re.search(r"2[.,](7|40)", text.partition("</style>")[2] or text)  # private figures wait for --final
    assert ">cleo<" in (folders[0] / "leaderboard-instructor.html").read_text(encoding="utf-8")


def test_the_final_standing_is_private_and_a_median(bareme: Invoke, folders: tuple[Path, Path]) -> None:
    bareme(*folders, "--final", "--names")
    found = board(folders[0], "leaderboard-instructor")
    assert [(entry["student"], entry["runs"]) for entry in found["entries"]] == [("cleo", 1), ("ada", 2)]
    assert [entry["value"] for entry in found["entries"]] == pytest.approx([2.4, 2.72])


def test_names_are_drawn_once_and_kept_for_their_owner(bareme: Invoke, folders: tuple[Path, Path]) -> None:
    bareme(folders[1], "--out", folders[0])
    first = {entry["name"] for entry in board(folders[0])["entries"]}
    kept = folders[0] / "pseudonyms.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE((folders[0] / "leaderboard.json").stat().st_mode) & 0o044
    before = kept.read_bytes()
    bareme(folders[1], "--out", folders[0])
    assert kept.read_bytes() == before
    bareme(*folders)
    assert first < {entry["name"] for entry in board(folders[0])["entries"]}


def test_chosen_names_come_from_the_course_or_a_file(bareme: Invoke, folders: tuple[Path, Path], course: Path) -> None:
    (course / "pseudonyms.toml").write_text('cleo = "Nova"', encoding="utf-8")
    bareme(*folders)
    assert board(folders[0])["entries"][0]["name"] == "Nova"
    other = course / "other.toml"
    other.write_text('cleo = "Étoile"', encoding="utf-8")
    bareme(*folders, "--pseudonyms", other)
    assert board(folders[0])["entries"][0]["name"] == "Étoile"


def test_a_stolen_name_stops_before_anything_is_written(
    bareme: Invoke, folders: tuple[Path, Path], course: Path
) -> None:
    (course / "pseudonyms.toml").write_text('cleo = "Ada"', encoding="utf-8")
    error = raised(bareme(*folders))
    assert isinstance(error, ConfigurationError)
    assert "key 'cleo': 'Ada' is the name of another student" in str(error)
    assert not list(folders[0].glob("leaderboard*"))


def test_an_assignment_each(bareme: Invoke, folders: tuple[Path, Path], make: Any) -> None:
    other = folders[0].parent / "three"
    keep(other, make.run(9, make.marked("ada", speed=make.metric(0.9, check="speed")), assignment="attention"))
    bareme(*folders, other)
    sections = json.loads((folders[0] / "leaderboard.json").read_text(encoding="utf-8"))["assignments"]
    assert [(one["assignment"], one["declared"], len(one["boards"])) for one in sections] == [
        ("attention", False, 1), ("ngram", True, 1),
    ]  # fmt: skip


def test_the_final_standing_waits_for_the_due_date(bareme: Invoke, folders: tuple[Path, Path], course: Path) -> None:
    path = course / "ngram" / "assignment.toml"
    due = "due = 2999-01-31T23:59:00+01:00\n"
    path.write_text(due + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert bareme(*folders).exit_code == 0
    (folders[0] / "leaderboard.json").unlink()
    error = raised(bareme(*folders, "--final"))
    assert isinstance(error, UsageError)
    assert "ngram is due on 2999-01-31" in str(error)
    assert not (folders[0] / "leaderboard.json").exists()


def test_what_is_no_folder_of_a_run_is_named(bareme: Invoke, folders: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "gradebook.sqlite is missing" in str(raised(bareme(folders[0], empty)))
    Gradebook.open(empty / "gradebook.sqlite").close()
    assert "holds no run" in str(raised(bareme(empty)))


@pytest.mark.slow
def test_the_command_as_people_run_it(folders: tuple[Path, Path], course: Path) -> None:
    line = [sys.executable, "-m", "harness", "leaderboard", *map(str, folders), "--course", str(course)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = (folders[0] / "leaderboard.html").read_text(encoding="utf-8")
    assert "Texte frais" in page
    (course / "pseudonyms.toml").write_text('cleo = "<b>"', encoding="utf-8")
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert (folders[0] / "leaderboard.html").read_text(encoding="utf-8") == page
