"""The demo cohorts come out as expected.toml says, and again from the same seed, in any company."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.cli import DEMO_SEED, bundled_course

pytestmark = pytest.mark.slow
SLUGS = sorted(bundled_course().assignments)
N_SOME = 3  # submissions that are marked again: each costs as much as all that it gets wrong
OTHER_SEED = 770_077_007_700  # in no page by chance
# Cohorts in which all sorts of things go wrong
MANY = pytest.mark.parametrize("marked", ["attention", "ngram"], indirect=True)


@dataclass(frozen=True)
class Marked:
    """One cohort of the demo."""

    slug: str
    out: Path


@pytest.fixture(scope="module", params=SLUGS)
def marked(request: pytest.FixtureRequest, demo: Any) -> Marked:
    return Marked(request.param, demo.out / request.param)


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


@MANY
def test_the_files_of_a_run(marked: Marked, bareme: Any) -> None:
    files = {"gradebook.sqlite", "grades.csv", "index.html", "instructor", "junit.xml", "results.json", "students"}
    boards = {"leaderboard.html", "leaderboard.json", "pseudonyms.json"}  # something is measured in every assignment
    assert {path.name for path in marked.out.iterdir()} == files | boards
    pages = list((marked.out / "students").iterdir())
    assert len(pages) == len(bareme.expected(marked.slug))


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
    marked: Marked, some: Path, bareme: Any, tmp_path: Path
) -> None:
    done = bareme("grade", marked.slug, some, "--out", tmp_path, "--jobs", 2, "--seed", DEMO_SEED)
    students = {folder.name for folder in some.iterdir()}
    wanted = bareme.comparable(marked.out)
    wanted["submissions"] = [item for item in wanted["submissions"] if item["student"] in students]
    assert len(students) == N_SOME
    assert done.returncode == 0
    assert bareme.comparable(tmp_path) == wanted


@MANY
def test_another_seed_gives_other_inputs_and_is_published_nowhere(
    marked: Marked, some: Path, bareme: Any, tmp_path: Path
) -> None:
    bareme("grade", marked.slug, some, "--out", tmp_path, "--jobs", 2, "--seed", OTHER_SEED)
    students = {folder.name for folder in some.iterdir()}
    same = [item for item in bareme.comparable(marked.out)["submissions"] if item["student"] in students]
    other = bareme.comparable(tmp_path)["submissions"]
    assert [_messages(item) for item in same] != [_messages(item) for item in other]
    assert [_outcomes(item) for item in same] == [_outcomes(item) for item in other]
    assert "seed" not in bareme.results(tmp_path)["run"]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "gradebook.sqlite":
            assert str(OTHER_SEED).encode() not in path.read_bytes(), path


def _messages(item: dict[str, Any]) -> list[Any]:
    told = [check for check in item["checks"] if "message" in check]  # not those that wait for the due date
    return [(check["message"], check["counterexample"]) for check in told]


def _outcomes(item: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["status"] for check in item["checks"] if "status" in check}  # not what a clock decides
