"""A kit is held to what students need of it before it is written: it can be read, and each entry point waits in it.

Not covered: that nothing of the solution is in it; that follows from how it is made, and tests search for it.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import intake
from harness.course import Assignment
from harness.errors import ConfigurationError
from harness.intake.parse import parse_cells
from harness.records import Submission
from harness.release.notebook import SOLUTION, SOURCE, bound_names, is_solution, lost_names, source_cells
from harness.release.stubs import definitions


@dataclass(frozen=True, slots=True)
class _Cell:
    """A code cell of the kit."""

    id: str
    tree: ast.Module
    is_stub: bool


def verify(assignment: Assignment, folder: Path) -> None:
    """Read the kit in `folder` as if it had been handed in.

    Raises:
        ConfigurationError: its notebook gives rise to a remark or breaks a rule; an entry point is in no solution cell,
            or in a cell that is given; or a cell that is given uses what only solution cells define.
    """
    source = assignment.folder / SOURCE
    names = [entry.name for entry in assignment.file.entry_points]
    candidate = intake.select(intake.find(folder / f"{assignment.slug}.ipynb", assignment.slug), "last")[-1]
    submission = intake.read(candidate, policy=assignment.file.policy, entry_points=names)
    for remark in (*submission.violations, *submission.notices):
        problem = f"{source}: for students, cell {remark.cell}: {remark.text.en.rstrip('.')}"
        raise ConfigurationError(problem, remedy="Correct that cell.")
    cells = list(_cells(assignment, submission))
    _require_entry_points(source, cells, names)
    _require_own_names(source, cells, lost_names(assignment))


def _cells(assignment: Assignment, submission: Submission) -> Iterator[_Cell]:
    ids = {cell.index: cell.id for cell in submission.cells}
    solutions = {cell["id"] for cell in source_cells(assignment) if is_solution(cell)}
    for piece in parse_cells(submission.cells)[0]:
        if piece.cell is not None:
            yield _Cell(ids[piece.cell], piece.tree, ids[piece.cell] in solutions)


def _require_entry_points(source: Path, cells: Sequence[_Cell], names: Sequence[str]) -> None:
    places = {name: cell for cell in cells for name in definitions(cell.tree)}
    for name in names:
        if name not in places:
            remedy = f"Write it with def or class in a cell with the tag {SOLUTION}."
            raise ConfigurationError(f"{source}: no solution cell defines {name!r}", remedy=remedy)
        if not places[name].is_stub:
            problem = f"{source}: cell {places[name].id!r} defines {name!r} without the tag {SOLUTION}"
            raise ConfigurationError(problem, remedy="Add the tag: students would get the solution.")


def _require_own_names(source: Path, cells: Sequence[_Cell], lost: set[str]) -> None:
    """What students run must not need what they were not given."""
    lost = lost - bound_names(cell.tree for cell in cells)
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Name) and node.id in lost:
                raise ConfigurationError(
                    f"{source}: cell {cell.id!r} uses {node.id!r}, which solution cells alone define",
                    remedy="Define it in a cell without the tag.",
                )
