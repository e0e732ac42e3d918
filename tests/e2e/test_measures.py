"""Every kind of measurement, from one line in checks.py to the board: a right, a slow and a lying notebook."""

from pathlib import Path
from typing import Any

import pytest

from harness.gradebook import Gradebook
from harness.records import Cohort

pytestmark = pytest.mark.slow
COURSE = Path(__file__).parent / "courses" / "measured"
SUBMISSIONS = COURSE / "qualities" / "cohort"
RIGHT, SLOW, LIAR = "student-01", "student-02", "student-03"


@pytest.fixture(scope="module")
def out(bareme: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    done = bareme("grade", "qualities", SUBMISSIONS, "--course", COURSE, "--out", folder, "--jobs", 2, "--seed", 5)
    assert done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def found(bareme: Any, out: Path) -> dict[str, Any]:
    return {item["student"]: item for item in bareme.results(out)["submissions"]}


def checks(item: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["status"] for check in item["checks"]}


def test_the_solution_earns_everything_against_itself(found: dict[str, Any]) -> None:
    assert set(checks(found[RIGHT]).values()) == {"passed"}
    assert found[RIGHT]["score"] == 12.0


def test_what_is_measured_is_published_whole_but_for_hidden_checks(found: dict[str, Any]) -> None:
    metrics = found[RIGHT]["metrics"]
    assert {"bits", "search", "search.recall@100", "search.rr@10", "fast", "linear", "joules"} <= set(metrics)
    assert not [name for name in metrics if name.startswith("bits_private")]
    for metric in metrics.values():
        assert {"value", "unit", "low", "high", "baseline", "oracle", "points", "max_points"} <= set(metric)
        assert metric["low"] <= metric["value"] <= metric["high"]
    assert metrics["search"]["value"] == 1.0
    assert metrics["bits"]["unit"] == "bits/byte"


def test_a_worse_notebook_earns_a_share(found: dict[str, Any]) -> None:
    slow = found[SLOW]
    points = {check["id"]: check["points"] for check in slow["checks"]}
    assert 0 < points["search"] < 2  # equal scores: no better than a ranking at random
    assert points["fast"] == 0.0
    assert slow["metrics"]["fast"]["value"] < 1 / 3
    assert slow["score"] < found[RIGHT]["score"]


def test_every_lie_is_named(found: dict[str, Any]) -> None:
    liar = found[LIAR]
    messages = {check["id"]: (check["message"] or {}).get("en", "") for check in liar["checks"]}
    assert "one position too many" in messages["bits"]
    assert "is nan" in messages["search"]
    for timed in ("fast", "linear", "joules"):
        assert "expected" in messages[timed], timed
    assert liar["score"] == 0.0
    assert liar["metrics"] == {}


def test_the_gradebook_keeps_what_hidden_checks_measured(out: Path) -> None:
    marked = _cohort(out)
    solution = next(result for result in marked.results if result.candidate.student == RIGHT)
    assert solution.metrics["bits_private"].max_points == 2.0


def test_pages_and_board_show_what_was_measured(bareme: Any, out: Path) -> None:
    page = (out / "students" / f"{RIGHT}.html").read_text(encoding="utf-8")
    assert "bits/byte" in page
    assert (out / "leaderboard.json").is_file()  # written when it was marked
    for language, word in (("fr", "bits/octet"), ("en", "bits/byte")):
        done = bareme("leaderboard", out, "--course", COURSE, "--lang", language)
        assert done.returncode == 0, done.stderr
        board = (out / "leaderboard.html").read_text(encoding="utf-8")
        assert word in board
        assert not [student for student in (RIGHT, SLOW, LIAR) if student in board]  # pseudonyms alone
        assert "<script" not in board


def test_a_self_check_measures_what_needs_no_solution(bareme: Any) -> None:
    done = bareme("check", SUBMISSIONS / RIGHT / "qualities.ipynb", "qualities", "--course", COURSE)
    assert done.returncode == 1  # three public checks could not be run
    assert "bits/byte" in done.stdout
    assert "when it is marked" in " ".join(done.stdout.split())


def _cohort(out: Path) -> Cohort:
    with Gradebook.open(out / "gradebook.sqlite") as gradebook:
        run = gradebook.latest()
        assert run is not None
        return gradebook.cohort(run.id)
