"""The notebooks that an audit hands in: the solution with cells changed, left out or added, as files like a student's.

Not covered: which changes (`mutants`, `nulls`), and marking (`marking`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.course import Assignment
from harness.errors import ConfigurationError
from harness.pipeline import SOLUTION
from harness.records import Candidate

TAG = "solution"
SUBMITTED = datetime.fromtimestamp(0, UTC)  # never late


@dataclass(frozen=True, slots=True)
class Solution:
    """source.ipynb, its code cells alone: prose is not run."""

    slug: str
    cells: Mapping[str, str]  # id -> text, in the order of the notebook
    tagged: tuple[str, ...]  # ids of those tagged `solution`

    @property
    def solution_cells(self) -> dict[str, str]:
        """The cells that a student completes."""
        return {cell: self.cells[cell] for cell in self.tagged}

    def write(
        self, folder: Path, name: str, cells: Sequence[str], beside: Mapping[str, bytes] = MappingProxyType({})
    ) -> Candidate:
        """A notebook of `cells` in a folder of its own, with the files `beside` it; as a candidate called `name`."""
        place = folder / hashlib.sha256(name.encode()).hexdigest()[:16]  # names hold slashes
        place.mkdir(parents=True)
        for file, data in beside.items():
            (place / file).write_bytes(data)
        path = place / f"{self.slug}.ipynb"
        path.write_text(json.dumps(_notebook(cells)), encoding="utf-8")
        return candidate(path, name, extras=tuple(beside))


def read(assignment: Assignment) -> Solution:
    """The solution of `assignment`.

    Raises:
        ConfigurationError: there is none, it is not a notebook of format 4.5, or no cell is tagged `solution`.
    """
    path = assignment.folder / SOLUTION
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        texts = {cell["id"]: "".join(cell["source"]) for cell in code}
        tagged = tuple(cell["id"] for cell in code if TAG in cell["metadata"].get("tags", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{path} cannot be read as a notebook: {type(error).__name__}: {error}"
        raise ConfigurationError(problem, remedy="Save it in notebook format 4.5.") from error
    if not tagged:
        raise ConfigurationError(
            f"{path}: no cell is tagged `{TAG}`", remedy="Tag the cells that students complete; faults are put there."
        )
    return Solution(assignment.slug, texts, tagged)


def candidate(path: Path, name: str, extras: tuple[str, ...] = ()) -> Candidate:
    """The file at `path` as handed in by `name`, with the files called `extras` that lie beside it."""
    return Candidate(
        student=name,
        notebook=path.name,
        location=path,
        member=None,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        submitted_at=SUBMITTED,
        attempt=1,
        extras=extras,
    )


def _notebook(cells: Sequence[str]) -> dict[str, Any]:
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{i}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": text,
            }
            for i, text in enumerate(cells)
        ],
    }
