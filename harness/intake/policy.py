"""Which forbidden names a notebook uses, as far as reading its code tells; nothing is imported or run.

Covered: imports, aliases, star imports, names carried across cells, getattr, importlib, exec and eval with constant
text, methods of tensors (`torch.Tensor.NAME` on an object of unknown kind), modules beside the notebook.
Not covered: names computed at run time, C extensions, copied library code; the guard inside the kernel and what the
sandbox contains stop those. A function that the student defines under a forbidden function's name is no finding:
that is the exercise.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence

from harness.intake.names_in_code import Resolver
from harness.intake.parse import Parsed
from harness.intake.texts import notice
from harness.records import Notice

TENSOR = "torch.Tensor."


def violations(cells: Sequence[Parsed], modules: Mapping[str, Parsed], forbidden: Sequence[str]) -> tuple[Notice, ...]:
    """One notice for each forbidden name and line that uses it, in order of cell and line; modules last.

    Args:
        cells: the notebook's code, in order.
        modules: Python files beside it, by the name they are imported under.
        forbidden: dotted modules, classes, functions or methods; what lies below one is forbidden too.
    Raises:
        RecursionError: some code is nested too deeply to be walked.
    """
    resolver = Resolver(lambda module: _brought_by_star(module, forbidden), modules)
    for cell in cells:
        resolver.run(cell)
    resolver.finish()
    methods = _methods(forbidden) - _own_attributes([*cells, *modules.values()])
    found = [(entry, use) for use in resolver.uses if (entry := _forbidden(use.path, forbidden))]
    found += [(TENSOR + use.path, use) for use in resolver.methods if use.path in methods]
    places = {(use.where.cell, use.where.module, use.line, entry) for entry, use in found}
    return tuple(_notice(*place) for place in sorted(places, key=_order))


def _brought_by_star(module: str, forbidden: Iterable[str]) -> list[str]:
    """The names of `module` that matter: those on the way to something forbidden."""
    prefix = f"{module}."
    return sorted({entry.removeprefix(prefix).partition(".")[0] for entry in forbidden if entry.startswith(prefix)})


def _forbidden(path: str, forbidden: Iterable[str]) -> str | None:
    """The longest entry that `path` is, or lies below."""
    matching = [entry for entry in forbidden if path == entry or path.startswith(f"{entry}.")]
    return max(matching, key=len, default=None)


def _methods(forbidden: Iterable[str]) -> set[str]:
    return {entry.removeprefix(TENSOR) for entry in forbidden if entry.startswith(TENSOR)}


def _own_attributes(pieces: Iterable[Parsed]) -> set[str]:
    """Methods and attributes that the notebook's own classes and objects have: `head.softmax` may be one of them."""
    own: set[str] = set()
    for piece in pieces:
        for node in piece.nodes:
            if isinstance(node, ast.ClassDef):
                own |= {part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}
                own |= {name.id for part in node.body for name in _assigned(part)}
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                own.add(node.attr)
    return own


def _assigned(statement: ast.stmt) -> list[ast.Name]:
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return [target for target in targets if isinstance(target, ast.Name)]


def _order(place: tuple[int | None, str | None, int, str]) -> tuple[bool, int, str, int, str]:
    cell, module, line, entry = place
    return cell is None, cell or 0, module or "", line, entry


def _notice(cell: int | None, module: str | None, line: int, entry: str) -> Notice:
    if module is not None:
        return notice("forbidden-name-in-module", line=line, forbidden=entry, name=module, at=line)
    return notice("forbidden-name", cell=cell, line=line, forbidden=entry)
