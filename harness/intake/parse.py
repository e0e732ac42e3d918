"""From cells to syntax trees, IPython's own syntax included; nothing is compiled or run.

Covered: `%`, `!` and `?` lines, `%%time` and its like (their body is the cell). Not covered: cells in another language
(`%%bash`), which have an empty tree beside the call of the magic itself.
"""

import ast
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.intake.texts import notice
from harness.records import Cell, Notice

CODE_CHARACTERS = 2**20  # of one notebook; more is data, and its trees would take gigabytes of memory
# IPython reads a cell anew for each magic, 5 microseconds a character: at most about 3 seconds for a whole notebook
TRANSFORM_WORK = 600_000  # characters times (1 + magics), of cells that are not plain Python
MAGIC = re.compile(r"^\s*[%!?,;/]|=\s*[%!](?!=)|\?\s*$", re.MULTILINE)
TOO_MUCH = (RecursionError, MemoryError, OverflowError)
PYTHON_MAGIC = re.compile(r"\A\s*%%(?:time|timeit|capture|prun)\b[^\n]*")


@dataclass(frozen=True)
class Parsed:
    """One piece of Python, and where its lines are."""

    tree: ast.Module
    cell: int | None  # index in the notebook, None for a module beside it
    module: str | None = None  # file name of that module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of the tree; walked once, for the five who look through it."""
        return tuple(ast.walk(self.tree))


def parse_cells(cells: Sequence[Cell]) -> tuple[tuple[Parsed, ...], tuple[Notice, ...]]:
    """The trees of all cells that are Python, and a remark on each that is not."""
    parsed: list[Parsed] = []
    notices: list[Notice] = []
    left = _Left()
    for cell in cells:
        try:
            parsed.append(Parsed(_tree(cell.source, left), cell.index))
        except SyntaxError as error:
            notices.append(notice("syntax-error", cell=cell.index, line=error.lineno, reason=error.msg))
        except TOO_MUCH:
            notices.append(notice("not-analysed", cell=cell.index))
    return tuple(parsed), tuple(notices)


def parse_modules(contents: Mapping[str, bytes]) -> tuple[dict[str, Parsed], tuple[Notice, ...]]:
    """The trees of the Python files among `contents`, by the name they are imported under, and what was not read.

    Files that are not Python, or not in UTF-8, cannot be imported either and are passed over.
    """
    parsed: dict[str, Parsed] = {}
    notices: list[Notice] = []
    left = _Left()
    for name in sorted(name for name in contents if name.endswith(".py")):
        dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        try:
            source = contents[name].decode("utf-8-sig")
            left.take(characters=len(source))
            parsed[dotted] = Parsed(parse_source(source), None, name)
        except (SyntaxError, UnicodeError):
            continue
        except TOO_MUCH:
            notices.append(notice("module-not-analysed", name=name))
    return parsed, tuple(notices)


def parse_source(source: str) -> ast.Module:
    """The tree of plain Python.

    Raises:
        SyntaxError: it is not Python.
        RecursionError, MemoryError: it is too deeply nested.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in student code is not our warning
        try:
            return ast.parse(source)
        except ValueError as error:  # null characters, on Python 3.11
            raise SyntaxError(str(error)) from error


@dataclass(slots=True)
class _Left:
    """What reading one notebook may still cost."""

    characters: int = CODE_CHARACTERS
    work: int = TRANSFORM_WORK

    def take(self, *, characters: int = 0, work: int = 0) -> None:
        """Spend it, also where the code then turns out not to be Python; OverflowError when there is not enough."""
        if characters > self.characters or work > self.work:
            raise OverflowError("too long to be read ahead")
        self.characters -= characters
        self.work -= work


def _tree(source: str, left: _Left) -> ast.Module:
    body = PYTHON_MAGIC.sub("", source)
    left.take(characters=len(body))
    try:
        return parse_source(body)
    except SyntaxError:
        left.take(work=len(body) * (1 + len(MAGIC.findall(body))))
    return parse_source(_transformed(body))


def _transformed(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager  # here: the grader itself reads no notebook

    stripped = source.lstrip("\n")  # IPython drops leading blank lines; put back, they keep line numbers right
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "\n" * (len(source) - len(stripped)) + str(transform(stripped))
    except (RuntimeError, IndexError, ValueError) as error:  # its own limit on rounds, and tokenizer mishaps
        raise SyntaxError("IPython cannot read this cell") from error
