"""The three files together, and which attempt counts."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.errors import InfrastructureError
from harness.gradebook import exports
from harness.records import Cohort, Graded, RunInfo, Status


@pytest.fixture
def cohort(make_run: Callable[..., RunInfo], make_graded: Callable[..., Graded]) -> Cohort:
    return Cohort(make_run(), (make_graded("alma", 1, score=3.0), make_graded("alma", 2, score=2.0)), ())


def test_tables_have_the_attempt_that_counts_and_results_have_all(cohort: Cohort, tmp_path: Path) -> None:
    exports.write(cohort, tmp_path, after_due=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grades.csv", "junit.xml", "results.json"]
    assert len(json.loads((tmp_path / "results.json").read_bytes())["submissions"]) == 2
    assert (tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()[1:] == ["alma;marked;3;8;0;1;0"]
    assert len(ET.parse(tmp_path / "junit.xml").getroot()) == 1


def test_the_language_reaches_tables_and_messages(cohort: Cohort, tmp_path: Path) -> None:
    exports.write(cohort, tmp_path, after_due=False, language="en")
    assert "alma,marked,3" in (tmp_path / "grades.csv").read_text(encoding="utf-8-sig")
    assert "expected 3" in (tmp_path / "junit.xml").read_text(encoding="utf-8")


def test_writing_again_changes_nothing(cohort: Cohort, tmp_path: Path) -> None:
    exports.write(cohort, tmp_path, after_due=False)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    exports.write(cohort, tmp_path, after_due=False)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_not_there_is_named(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"absent/results\.json cannot be written"):
        exports.write(cohort, tmp_path / "absent", after_due=False)


def test_the_best_attempt_counts_of_equals_the_last(make_graded: Callable[..., Graded]) -> None:
    def graded(student: str, attempt: int, score: float | None) -> Graded:
        status = Status.MARKED if score is not None else Status.INFRASTRUCTURE
        return make_graded(student, attempt, score=score, status=status)

    attempts = [
        graded("b", 1, 2.0),
        graded("b", 2, 2.0),
        graded("b", 3, None),
        graded("a", 1, 0.0),
        graded("c", 1, None),
    ]
    counted = [(graded.candidate.student, graded.candidate.attempt) for graded in exports.counting(attempts)]
    assert counted == [("a", 1), ("b", 2), ("c", 1)]
