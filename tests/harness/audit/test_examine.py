"""The parts of an audit that decide: seeds, limits, equivalents that are no longer; the whole is run by tests/e2e."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.audit import notebooks, nulls
from harness.audit.examine import callers, seeds_of, stale, tightened, variant_files
from harness.audit.findings import Fate, Marked, Mutant, Verdict
from harness.audit.mutants import mutations
from harness.course import Assignment, Equivalent, Limits, load_course
from harness.errors import ConfigurationError
from harness.records import Text

COURSE = Path(__file__).parents[2] / "e2e" / "courses" / "audited"
FULL = Marked(points=5.0, max_points=5.0, lost=(), wall_s=1.0)


@pytest.fixture
def assignment() -> Assignment:
    return load_course(COURSE).assignment("steps")


def test_seeds_are_the_same_for_the_same_seed_and_the_first_ones_stay() -> None:
    assert seeds_of(0, 3) == seeds_of(0, 30)[:3]
    assert len({*seeds_of(0, 30), *seeds_of(1, 30)}) == 60


def test_limits_follow_from_the_solution_and_are_never_wider_than_those_of_the_assignment() -> None:
    limits = Limits(wall_s=120.0, cell_s=20.0, call_s=10.0)
    quick = tightened(limits, cell_s=0.01, call_s=0.01, wall_s=0.3)
    assert (quick.cell_s, quick.call_s, quick.wall_s) == (2.0, 2.0, 10.0)
    slow = tightened(limits, cell_s=0.7, call_s=0.5, wall_s=3.0)
    assert (slow.cell_s, slow.call_s, slow.wall_s) == (7.0, 5.0, 30.0)
    slowest = tightened(limits, cell_s=19.0, call_s=9.0, wall_s=100.0)
    assert slowest == limits


def test_an_equivalent_is_stale_when_it_costs_points_or_is_gone(assignment: Assignment) -> None:
    found = mutations(notebooks.read(assignment).solution_cells)
    listed = {equivalent.mutant for equivalent in assignment.file.audit.equivalent}
    kept = [Verdict(one.mutant, Fate.EQUIVALENT, FULL) for one in found if one.mutant.id in listed]
    assert stale(assignment, found, kept) == ()
    killed = [replace(verdict, fate=Fate.KILLED) for verdict in kept[:1]]
    assert stale(assignment, found, [*killed, *kept[1:]]) == (kept[0].mutant.id,)
    assert set(stale(assignment, [], [])) == listed


def test_an_equivalent_outside_of_the_sample_is_not_stale(assignment: Assignment) -> None:
    found = mutations(notebooks.read(assignment).solution_cells)
    assert stale(assignment, found, []) == ()


def test_equivalents_are_listed_with_a_reason_in_both_languages(assignment: Assignment) -> None:
    assert assignment.file.audit.equivalent[0] == Equivalent(
        "largest/comparison/cf471502",
        Text(
            "De deux valeurs égales, peu importe laquelle est gardée.",
            "Of two equal values it does not matter which one is kept.",
        ),
    )


def test_checks_that_call_the_function_with_the_fault_come_first() -> None:
    called = {"counts": frozenset({"count"}), "edges": frozenset({"count", "other"}), "rest": frozenset({"other"})}
    mutant = Mutant("cell/term/0", "cell", "term", "count", "")
    assert callers(mutant, called) == ("counts", "edges")
    assert callers(replace(mutant, function="other.inner"), called) == ("edges", "rest")
    assert callers(replace(mutant, function=""), called) == ()


def test_variants_are_scripts_and_notebooks(assignment: Assignment, tmp_path: Path) -> None:
    assert [path.name for path in variant_files(assignment)] == ["built_in.py"]
    folder = tmp_path / "variants"
    folder.mkdir()
    for name in ("b.ipynb", "a.py", "README.md"):
        (folder / name).touch()
    assert [path.name for path in variant_files(replace(assignment, folder=tmp_path))] == ["a.py", "b.ipynb"]
    assert variant_files(replace(assignment, folder=tmp_path / "none")) == []


def test_the_solution_is_read_cell_by_cell(assignment: Assignment) -> None:
    solution = notebooks.read(assignment)
    assert list(solution.cells) == ["total", "total-try", "largest", "largest-try", "sign", "sign-try"]
    assert list(solution.solution_cells) == ["total", "largest", "sign"]


@pytest.mark.parametrize("text", ["{", "{}", '{"cells": [{"cell_type": "code"}]}', '{"cells": []}'])
def test_a_solution_that_cannot_be_read_is_named(assignment: Assignment, tmp_path: Path, text: str) -> None:
    (tmp_path / "source.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"source\.ipynb"):
        notebooks.read(replace(assignment, folder=tmp_path))


def test_what_is_handed_in_is_a_notebook_in_a_folder_of_its_own(assignment: Assignment, tmp_path: Path) -> None:
    solution = notebooks.read(assignment)
    one = solution.write(tmp_path, "cell/term/1", ["x = 1", "y = 2"])
    two = solution.write(tmp_path, "cell/term/2", ["x = 1"], {"memory.pickle": b"data"})
    assert one.location.parent != two.location.parent
    assert [cell["source"] for cell in json.loads(one.location.read_text())["cells"]] == ["x = 1", "y = 2"]
    assert (two.notebook, two.extras) == ("steps.ipynb", ("memory.pickle",))
    assert (two.location.parent / "memory.pickle").read_bytes() == b"data"


def test_there_is_a_null_notebook_of_every_kind_and_the_empty_one_has_no_solution(
    assignment: Assignment, tmp_path: Path
) -> None:
    solution = notebooks.read(assignment)
    candidates = nulls.notebooks(solution, ["total"], tmp_path, b"")
    assert list(candidates) == list(nulls.TITLES)
    texts = {kind: one.location.read_text(encoding="utf-8") for kind, one in candidates.items()}
    assert "def total" not in texts[nulls.EMPTY]
    assert "def total" not in texts[nulls.MEMORISED]
    assert "def total" in texts["zeros"]
