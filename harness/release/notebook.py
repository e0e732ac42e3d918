"""The notebook of a kit: cells of one language, solutions to complete, and nothing that a run or an editor left behind.

Cells are built anew from their kind, id and source: outputs, counts and metadata have no way in.
Not covered: what stands in place of a solution (`stubs`), whether the result can be worked with (`verify`).
"""

import ast
import json
import symtable
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat

from harness.course import Assignment
from harness.errors import ConfigurationError
from harness.intake.parse import parse_source
from harness.records import Language
from harness.release.stubs import stubs
from harness.typography import markdown

SOURCE = "source.ipynb"
SOLUTION = "solution"
LANGUAGES = frozenset({"fr", "en"})
KINDS = frozenset({"code", "markdown"})
FORMAT = (4, 5)  # of nbformat: the first in which cells have ids
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook(assignment: Assignment, language: Language) -> bytes:
    """The notebook for students in `language`: the same bytes each time.

    Raises:
        ConfigurationError: source.ipynb is missing or is no notebook, or a cell of it cannot be told what to do with.
    """
    cells = [cell for item in source_cells(assignment) if (cell := _cell(assignment, item, language)) is not None]
    made = {"cells": cells, "metadata": METADATA, "nbformat": FORMAT[0], "nbformat_minor": FORMAT[1]}
    return (json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def source_cells(assignment: Assignment) -> list[dict[str, Any]]:
    """The cells of source.ipynb, each of a kind and with tags that a release knows.

    Raises:
        ConfigurationError: see `notebook`.
    """
    path = assignment.folder / SOURCE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        nbformat.validate(value)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing", remedy="Write the notebook with the solution.") from error
    except (ValueError, nbformat.ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"{path} is not a notebook: {reason}", remedy="Save it again in Jupyter.") from error
    version = (value["nbformat"], value["nbformat_minor"])
    if version < FORMAT:
        raise ConfigurationError(
            f"{path} is of format {version[0]}.{version[1]}, without ids", remedy="Save it again in Jupyter."
        )
    for cell in value["cells"]:
        _require_known(path, cell)
    return list(value["cells"])


def lost_names(assignment: Assignment) -> set[str]:
    """What solution cells define at their top level besides entry points: students will not have it."""
    entries = {entry.name for entry in assignment.file.entry_points}
    trees = [_tree(assignment, cell) for cell in source_cells(assignment) if is_solution(cell)]
    return bound_names(trees) - entries


def is_solution(cell: Mapping[str, Any]) -> bool:
    """Whether students complete this cell."""
    return SOLUTION in _tags(cell)


def bound_names(trees: Iterable[ast.Module]) -> set[str]:
    """The names that cells define, import or assign at their top level."""
    tables = (symtable.symtable(ast.unparse(tree), SOURCE, "exec") for tree in trees)
    return {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }


def _require_known(path: Path, cell: Mapping[str, Any]) -> None:
    """A tag that is misspelt would hand out a solution, so none is passed over."""
    unknown = sorted(_tags(cell) - LANGUAGES - {SOLUTION})
    if unknown:
        raise ConfigurationError(
            f"{path}: cell {cell.get('id')!r} has the tag {unknown[0]!r}", remedy="Tags are fr, en and solution."
        )
    if cell["cell_type"] not in KINDS:
        raise ConfigurationError(
            f"{path}: cell {cell.get('id')!r} is of kind {cell['cell_type']!r}", remedy="Make it code or Markdown."
        )


def _cell(assignment: Assignment, cell: Mapping[str, Any], language: Language) -> dict[str, Any] | None:
    """The cell as students get it; None for one that they do not."""
    tags = _tags(cell)
    if tags & LANGUAGES and language not in tags:
        return None
    words = _source(cell)
    if SOLUTION in tags:
        entries = {entry.name: entry for entry in assignment.file.entry_points}
        _tree(assignment, cell)  # here: an error that names the cell
        words = stubs(words, entries, language)
        if not words:
            return None
    made = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": {}}
    if cell["cell_type"] == "code":
        return made | {"source": _lines(words), "execution_count": None, "outputs": []}
    pictures = {"attachments": cell["attachments"]} if cell.get("attachments") else {}
    return made | {"source": _lines(markdown(words, language))} | pictures


def _tree(assignment: Assignment, cell: Mapping[str, Any]) -> ast.Module:
    try:
        return parse_source(_source(cell))
    except SyntaxError as error:
        raise ConfigurationError(
            f"{assignment.folder / SOURCE}: cell {cell['id']!r}, line {error.lineno}: {error.msg}",
            remedy="A solution cell holds plain Python.",
        ) from error


def _tags(cell: Mapping[str, Any]) -> set[str]:
    return set(cell["metadata"].get("tags", ()))


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _lines(words: str) -> list[str]:
    return words.splitlines(keepends=True)
