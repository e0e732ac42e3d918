"""Every hostile notebook comes out as its first lines say: no point gained, no false pass, no fault of ours.

The numbers in the notebooks' names are those of the threats. Not covered: hostile files that are no notebooks (intake).
"""

from pathlib import Path
from typing import Any

import pytest

from harness.records import Outcome, Status

pytestmark = pytest.mark.slow
NOTEBOOKS = sorted(path.stem for path in Path(__file__).with_name("notebooks").glob("[0-9]*.py"))
CHECKS = ("double", "double_hidden", "total", "total_hidden", "median", "counter", "locate")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_outcomes(marked: Any, expected: Any, name: str) -> None:
    graded = marked.results[name]
    usual = "policy" if expected[name]["status"] == "policy" else "passed"
    outcomes = {check.id: check.outcome.value for check in graded.checks}
    wanted = dict.fromkeys(CHECKS, usual) | expected[name]["checks"]
    assert (graded.status, outcomes) == (expected[name]["status"], wanted), [check.message for check in graded.checks]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_and_their_output(marked: Any, expected: Any, name: str) -> None:
    graded, wanted = marked.results[name], expected[name]
    outcomes = [cell.outcome.value for cell in graded.cells]
    if graded.status is Status.MARKED:
        assert outcomes == wanted.get("cells", ["passed"]), [cell.error for cell in graded.cells]
    assert graded.output_truncated == wanted.get("truncated", False)
    assert wanted.get("output", "") in "".join(cell.output for cell in graded.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_points_are_those_of_passed_checks_alone(marked: Any, name: str) -> None:
    graded = marked.results[name]
    assert graded.status is not Status.INFRASTRUCTURE, graded.failure
    assert [check.points for check in graded.checks] == [
        check.max_points if check.outcome is Outcome.PASSED else 0.0 for check in graded.checks
    ]
    assert graded.score == sum(check.points for check in graded.checks)


def test_the_honest_solution_has_all_points(marked: Any) -> None:
    assert {graded.score for name, graded in marked.results.items() if name.startswith("bystander")} == {20.0}


def test_a_notebook_with_all_points_says_what_it_attacked(marked: Any, expected: Any) -> None:
    """An attack that answers honestly proves nothing, unless it tells how far it came or why it may succeed."""
    told = {"output", "accepted", "cells", "truncated", "proven_by"}
    silent = [name for name in NOTEBOOKS if marked.results[name].score == 20 and not told & set(expected[name])]
    assert silent == []
