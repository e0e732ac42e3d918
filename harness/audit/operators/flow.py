"""Faults in the course of things: a line forgotten, a loop that ends early, an answer given too soon."""

import ast
from collections.abc import Iterator

from harness.audit.code import Code, Edit, FunctionNode
from harness.audit.operators.registry import operator

BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)
LOOPS = (ast.For, ast.While)


@operator("statement", fr="Ligne oubliée", en="Line dropped")
def statement(code: Code, node: ast.AST) -> Iterator[Edit]:
    """A statement → `pass`, unless the names that it sets would then be unknown."""
    if code.function(node) is None or not isinstance(node, ast.stmt):
        return
    text_alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if (
        (isinstance(node, ast.Expr | ast.AugAssign | ast.Delete | ast.Raise | ast.Assert) and not text_alone)
        or (isinstance(node, BLOCKS) and not _is_elif(code, node))
        or (isinstance(node, ast.Assign) and _sets_again(code, node))
    ):
        yield code.replace(node, "pass")


@operator("jump", fr="Saut remplacé", en="Jump replaced")
def jump(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`break` ↔ `continue`, or neither."""
    if isinstance(node, ast.Break | ast.Continue):
        yield code.replace(node, "continue" if isinstance(node, ast.Break) else "break")
        yield code.replace(node, "pass")


@operator("loop", fr="Boucle quittée après un tour", en="Loop left after one turn")
def loop(code: Code, node: ast.AST) -> Iterator[Edit]:
    """A `break` at the end of the body."""
    if isinstance(node, LOOPS) and not isinstance(node.body[-1], ast.Break | ast.Return | ast.Raise):
        yield _after(code, node.body[-1], "break")


@operator("return", fr="Réponse donnée trop tôt ou oubliée", en="Answer given too early or forgotten")
def return_(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`return x` → `return None`; the function's last `return` already at the end of a loop's body."""
    if isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield code.replace(node.value, "None")
    elif isinstance(node, LOOPS):
        function = code.function(node)
        last = function.body[-1] if function is not None else None
        if isinstance(last, ast.Return) and last.value is not None and not isinstance(node.body[-1], ast.Return):
            yield _after(code, node.body[-1], code.segment(last))


def _after(code: Code, node: ast.stmt, text: str) -> Edit:
    """A line `text` after the statement `node`, as deep as the body that it ends."""
    end = code.end(node)
    if code.text.count("\n", code.start(node), end) == 0 and _shares_its_line(code, node):
        return Edit(end, end, f"; {text}")
    return Edit(end, end, f"\n{' ' * node.col_offset}{text}")


def _shares_its_line(code: Code, node: ast.stmt) -> bool:
    """Whether something else begins the line: `for x in xs: total += x`."""
    start = code.start(node)
    return bool(code.text[code.text.rfind("\n", 0, start) + 1 : start].strip())


def _is_elif(code: Code, node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and code.text.startswith("elif", code.start(node))


def _sets_again(code: Code, node: ast.Assign) -> bool:
    """Whether every name that `node` sets has a value already, or is a place in something that has one."""
    known = _set_before(code, node)
    for target in node.targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            if isinstance(part, ast.Name) and part.id not in known:
                return False
    return True


def _set_before(code: Code, node: ast.stmt) -> set[str]:
    """Names that are set above `node` in its function, parameters included."""
    function = code.function(node)
    assert isinstance(function, FunctionNode)  # noqa: S101  # asked of statements in functions only
    taken = function.args
    names = {one.arg for one in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)}
    for other in ast.walk(function):
        if isinstance(other, ast.Name) and isinstance(other.ctx, ast.Store) and code.start(other) < code.start(node):
            names.add(other.id)
    return names
