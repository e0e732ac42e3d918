"""From cells to syntax trees, IPython's own syntax included; nothing is compiled or run.

Covered: `%`, `!` and `?` lines, `%%time` and its like (their body is the cell). Not covered: cells in another language
(`%%bash`), which have an empty tree beside the call of the magic itself.
"""

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

from harness.intake.texts import notice
from harness.records import Cell, Notice

CELL_CHARACTERS = 2**20  # longer cells are data; parsing one takes seconds and hundreds of megabytes
# IPython reads a cell anew for each magic: characters times suspicious lines, a few seconds for a whole notebook
TRANSFORM_WORK = 4_000_000
SUSPICIOUS = re.compile(r"^\s*[%!?,;/]|[!%?]", re.MULTILINE)
PYTHON_MAGIC = re.compile(r"\A\s*%%(?:time|timeit|capture|prun)\b[^\n]*")


@dataclass(frozen=True, slots=True)
class Parsed:
    """One piece of Python, and where its lines are."""

    tree: ast.Module
    cell: int | None  # index in the notebook, None for a module beside it
    module: str | None = None  # file name of that module


def parse_cells(cells: Sequence[Cell]) -> tuple[tuple[Parsed, ...], tuple[Notice, ...]]:
    """The trees of all cells that are Python, and a remark on each that is not."""
    parsed: list[Parsed] = []
    notices: list[Notice] = []
    budget = TRANSFORM_WORK
    for cell in cells:
        try:
            tree, work = _tree(cell.source, budget)
            parsed.append(Parsed(tree, cell.index))
            budget -= work
        except SyntaxError as error:
            notices.append(notice("syntax-error", cell=cell.index, line=error.lineno, reason=error.msg))
        except (RecursionError, MemoryError, OverflowError):
            notices.append(notice("not-analysed", cell=cell.index))
    return tuple(parsed), tuple(notices)


def parse_source(source: str) -> ast.Module:
    """The tree of plain Python.

    Raises:
        SyntaxError: it is not Python.
        RecursionError, MemoryError, OverflowError: it is too long or too deeply nested.
    """
    if len(source) > CELL_CHARACTERS:
        raise OverflowError("too long to be read ahead")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in student code is not our warning
        try:
            return ast.parse(source)
        except ValueError as error:  # null characters, on Python 3.11
            raise SyntaxError(str(error)) from error


def _tree(source: str, budget: int) -> tuple[ast.Module, int]:
    """The tree, and the work that IPython's syntax took; cells of plain Python take none."""
    body = PYTHON_MAGIC.sub("", source)
    try:
        return parse_source(body), 0
    except SyntaxError as plain:
        work = len(body) * len(SUSPICIOUS.findall(body))
        if not work:
            raise
        if work > budget:
            raise OverflowError("too many magics to be read ahead") from plain
    return parse_source(_transformed(body)), work


def _transformed(source: str) -> str:
    stripped = source.lstrip("\n")  # IPython drops leading blank lines; put back, they keep line numbers right
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "\n" * (len(source) - len(stripped)) + str(transform(stripped))
    except (RuntimeError, IndexError, ValueError) as error:  # its own limit on rounds, and tokenizer mishaps
        raise SyntaxError("IPython cannot read this cell") from error
