"""The demo cohort, marked by the command with two jobs, is what expected.toml says; and nothing is left behind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.cli import bundled_course

pytestmark = pytest.mark.slow
SLUGS = sorted(bundled_course().assignments)
N_SOME = 3  # submissions that are marked again: each costs as much as all that it gets wrong
# Cohorts in which all sorts of things go wrong
MANY = pytest.mark.parametrize("marked", ["attention", "ngram"], indirect=True)


@dataclass(frozen=True)
class Marked:
    """One finished run, and what the machine looked like around it."""

    slug: str
    out: Path
    code: int
    new_processes: list[str]
    new_files: list[str]


@pytest.fixture(scope="module", params=SLUGS)
def marked(
    request: pytest.FixtureRequest, bareme: Any, seed: int, orphans: Any, tmp_path_factory: pytest.TempPathFactory
) -> Marked:
    """Run in a home, a temporary and a working folder of its own: whatever is left there is its."""
    slug, place = request.param, tmp_path_factory.mktemp("marked")
    for name in ("home", "tmp", "cwd"):
        (place / name).mkdir()
    out = place / "out"
    done = bareme(
        "grade", slug, bareme.cohort(slug), "--out", out, "--jobs", 2, "--seed", seed,
        cwd=place / "cwd", HOME=str(place / "home"), TMPDIR=str(place / "tmp"),
    )  # fmt: skip
    files = [str(path) for name in ("home", "tmp", "cwd") for path in (place / name).rglob("*")]
    return Marked(slug, out, done.returncode, orphans(), files)


def test_every_outcome_is_the_expected_one(marked: Marked, bareme: Any) -> None:
    found = {
        item["student"]: {
            "status": item["status"],
            "score": item["score"],
            "checks": {check["id"]: check["status"] for check in item["checks"]},
        }
        for item in bareme.results(marked.out)["submissions"]
    }
    wanted = {
        student: {key: entry[key] for key in ("status", "score", "checks")}
        for student, entry in bareme.expected(marked.slug).items()
    }
    assert found == wanted
    assert marked.code == 0


def test_nothing_is_left_running_and_nothing_lies_outside_out(marked: Marked) -> None:
    assert marked.new_processes == []
    assert marked.new_files == []


@MANY
def test_the_files_of_a_run(marked: Marked, bareme: Any) -> None:
    files = {"gradebook.sqlite", "grades.csv", "index.html", "instructor", "junit.xml", "results.json", "students"}
    boards = {"leaderboard.html", "leaderboard.json", "pseudonyms.json"}  # something is measured in every assignment
    assert {path.name for path in marked.out.iterdir()} == files | boards
    pages = list((marked.out / "students").iterdir())
    assert len(pages) == len(bareme.expected(marked.slug))


@MANY
def test_no_secret_is_published(marked: Marked, seed: int, bareme: Any) -> None:
    assert "seed" not in bareme.results(marked.out)["run"]
    for path in (marked.out / "results.json", *(marked.out / "students").iterdir()):
        assert f'"{seed}"' not in path.read_text(encoding="utf-8"), path


@pytest.fixture(scope="module")
def some(marked: Marked, bareme: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first submissions with something wrong that students are told of, in a folder of their own."""
    wrong = [
        item["student"]
        for item in bareme.results(marked.out)["submissions"]
        if any(check["status"] == "failed" and check["visibility"] == "public" for check in item["checks"])
    ]
    return bareme.few(marked.slug, wrong[:N_SOME], tmp_path_factory.mktemp("some"))


@MANY
def test_the_same_seed_gives_the_same_results_in_any_company(
    marked: Marked, some: Path, bareme: Any, seed: int, tmp_path: Path
) -> None:
    bareme("grade", marked.slug, some, "--out", tmp_path, "--jobs", 2, "--seed", seed)
    students = {folder.name for folder in some.iterdir()}
    wanted = bareme.comparable(marked.out)
    wanted["submissions"] = [item for item in wanted["submissions"] if item["student"] in students]
    assert len(students) == N_SOME
    assert bareme.comparable(tmp_path) == wanted


@MANY
def test_another_seed_gives_other_inputs(marked: Marked, some: Path, bareme: Any, seed: int, tmp_path: Path) -> None:
    bareme("grade", marked.slug, some, "--out", tmp_path, "--jobs", 2, "--seed", seed + 1)
    students = {folder.name for folder in some.iterdir()}
    same = [item for item in bareme.comparable(marked.out)["submissions"] if item["student"] in students]
    other = bareme.comparable(tmp_path)["submissions"]
    assert [_messages(item) for item in same] != [_messages(item) for item in other]
    assert [_outcomes(item) for item in same] == [_outcomes(item) for item in other]


def _messages(item: dict[str, Any]) -> list[Any]:
    told = [check for check in item["checks"] if "message" in check]  # not those that wait for the due date
    return [(check["message"], check["counterexample"]) for check in told]


def _outcomes(item: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["status"] for check in item["checks"] if "status" in check}  # not what a clock decides
