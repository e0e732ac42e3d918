"""What real notebooks contain that works elsewhere and not here, told to their author before the cells run.

Not covered: rules of the assignment (`policy`), and what happens when the cells do run.
"""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.intake.names_in_code import constant_text
from harness.intake.parse import Parsed
from harness.intake.texts import notice
from harness.records import Cell, Notice

INSTALL = re.compile(r"\b(?:pip3?|conda|mamba|uv|apt|apt-get)\b.{0,40}\binstall\b", re.DOTALL)
# calls that may run a shell command or a magic
SHELL = frozenset(
    {"system", "getoutput", "run_line_magic", "run_cell_magic", "run", "call", "check_call", "check_output", "Popen"}
)
WRITTEN = re.compile(r"^%%(?:writefile|file)\s+(?:-a\s+)?(\w+)\.py", re.MULTILINE)  # modules the notebook makes itself
ABSOLUTE = re.compile(r"^(?:/(?:content|home|Users|kaggle|mnt|media)/\S|[A-Za-z]:\\\S|[A-Z]:/\w)")
PATH_CHARACTERS = 300  # longer text is prose
SURVIVES = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def remarks(
    cells: Sequence[Cell], parsed: Sequence[Parsed], *, importable: Collection[str], entry_points: Sequence[str]
) -> tuple[Notice, ...]:
    """Remarks on a notebook's code cells, in order of cell and line, each code once a line.

    Args:
        cells: the code cells as read.
        parsed: those of them that are Python.
        importable: top-level modules that will be there.
        entry_points: names that the notebook has to define.
    """
    if not any(cell.source.strip() for cell in cells):
        return (notice("no-code"),)
    written = {name for cell in cells for name in WRITTEN.findall(cell.source)}
    found = [remark for piece in parsed for remark in _in_cell(piece, {*importable, *written})]
    found += _defined_twice(parsed, entry_points)
    unique = {(remark.cell, remark.line, remark.code): remark for remark in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda remark: (remark.cell or 0, remark.line or 0, remark.code)))


def _in_cell(piece: Parsed, importable: Collection[str]) -> Iterator[Notice]:
    guarded = _guarded_imports(piece)
    prose = {id(node.value) for node in piece.nodes if isinstance(node, ast.Expr)}  # docstrings
    rebound = _rebinds(piece, "input")
    for node in piece.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _import(node, piece, importable, guarded=id(node) in guarded)
        elif isinstance(node, ast.Call):
            yield from _call(node, piece, input_is_own=rebound)
        elif isinstance(node, ast.Constant) and id(node) not in prose and _is_absolute(node.value):
            yield notice("absolute-path", cell=piece.cell, line=node.lineno, path=node.value)


def _import(
    node: ast.Import | ast.ImportFrom, piece: Parsed, importable: Collection[str], *, guarded: bool
) -> Iterator[Notice]:
    for module in _modules(node):
        top = module.partition(".")[0]
        if module.startswith("google.colab"):
            yield notice("google-colab", cell=piece.cell, line=node.lineno)
        elif top not in importable and not guarded:
            yield notice("package-unavailable", cell=piece.cell, line=node.lineno, module=top)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level or node.module is None:
        return []
    if node.module == "google":  # from google import colab
        return [f"google.{alias.name}" for alias in node.names]
    return [node.module]


def _call(node: ast.Call, piece: Parsed, *, input_is_own: bool) -> Iterator[Notice]:
    if isinstance(node.func, ast.Name) and node.func.id == "input" and not input_is_own:
        yield notice("input", cell=piece.cell, line=node.lineno)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in SHELL and INSTALL.search(" ".join(_texts(node))):
        yield notice("pip-install", cell=piece.cell, line=node.lineno)


def _texts(call: ast.Call) -> Iterator[str]:
    for argument in call.args:
        for part in argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]:
            if (text := constant_text(part)) is not None:
                yield text


def _is_absolute(value: object) -> bool:
    return isinstance(value, str) and len(value) <= PATH_CHARACTERS and ABSOLUTE.match(value) is not None


def _guarded_imports(piece: Parsed) -> set[int]:
    """Imports whose failure the notebook itself expects."""
    return {
        id(node)
        for attempt in piece.nodes
        if isinstance(attempt, ast.Try) and any(_survives(handler) for handler in attempt.handlers)
        for statement in attempt.body
        for node in ast.walk(statement)
    }


def _survives(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in SURVIVES) for kind in caught)


def _rebinds(piece: Parsed, name: str) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.arg) and node.arg == name)
        or (isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
        for node in piece.nodes
    )


def _defined_twice(parsed: Sequence[Parsed], entry_points: Sequence[str]) -> list[Notice]:
    places: Mapping[str, list[tuple[int | None, int]]] = {name: [] for name in entry_points}
    for piece in parsed:
        for node in piece.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in places:
                places[node.name].append((piece.cell, node.lineno))
    last = {name: found[-1] for name, found in places.items() if len(found) > 1}
    return [notice("defined-twice", cell=cell, line=line, entry_point=name) for name, (cell, line) in last.items()]
