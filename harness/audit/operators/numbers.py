"""Faults in constants and bounds: one too many, one too few, a wrong default, an empty string."""

import ast
import math
from collections.abc import Iterator

from harness.audit.code import Code, Edit
from harness.audit.operators.registry import operator

SCALES = (2.0, 0.5)
INFINITE = {"inf": "1e4", "nan": "0.0"}  # what stands for them where somebody avoids them
AXES = ("axis", "dim", "dims")


@operator("constant", fr="Constante modifiée", en="Constant changed")
def constant(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`n` → `n + 1`, `n - 1`; `x` → `2x`, `x / 2`; `True` ↔ `False`; `"a"` → `""`."""
    if _is_default(code, node) or _axis_keyword(code, node):
        return
    for other in _others(code, node):
        yield code.replace(node, other)


@operator("default", fr="Valeur par défaut modifiée", en="Default argument changed")
def default(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`def f(x, causal=False)` → `causal=True`."""
    if _is_default(code, node):
        for other in _others(code, node):
            yield code.replace(node, other)


@operator("axis", fr="Axe remplacé", en="Axis replaced")
def axis(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`dim=-1` → `dim=-2`, `dim=0`; `keepdims=True` → `keepdims=False`; the axis left out."""
    if isinstance(node, ast.keyword) and node.arg in AXES:
        number = _whole_number(node.value)
        for other in dict.fromkeys([-2, -1, 0, 1]):
            if number is not None and other != number:
                yield code.replace(node.value, str(other))
        yield code.replace(node.value, "None")


@operator("infinity", fr="Infini remplacé par un nombre", en="Infinity replaced by a number")
def infinity(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`math.inf` → `1e4`."""
    if isinstance(node, ast.Attribute) and node.attr in INFINITE and isinstance(node.value, ast.Name):
        yield code.replace(node, INFINITE[node.attr])


@operator("range", fr="Un tour de trop ou de moins", en="One turn too many or too few")
def range_(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`range(n)` → `range(n + 1)`, `range(n - 1)`, `range(1, n)`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"):
        return
    if len(node.args) == 1 and _whole_number(node.args[0]) is None:
        yield code.replace(node.args[0], f"1, {code.segment(node.args[0])}")
    for bound in node.args[:2]:
        yield from _off_by_one(code, bound)


@operator("slice", fr="Tranche décalée d'un cran", en="Slice off by one")
def slice_(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`x[a:b]` → `x[a + 1:b]`, `x[a:b - 1]`, `x[a:]`, `x[:b]`; a step left out."""
    if not isinstance(node, ast.Slice):
        return
    for bound in (node.lower, node.upper):
        if bound is not None:
            yield from _off_by_one(code, bound)
            yield code.replace(bound, "")
    if node.step is not None:
        yield code.replace(node.step, "")


@operator("index", fr="Indice décalé d'un cran", en="Index off by one")
def index(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`x[i]` → `x[i - 1]`, `x[i + 1]`, for whatever is computed and may be a number."""
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            if isinstance(part, ast.BinOp):
                yield from _off_by_one(code, part)


@operator("elements", fr="Premier ou dernier élément oublié", en="First or last element forgotten")
def elements(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`for x in xs` → `for x in list(xs)[1:]`, `for x in list(xs)[:-1]`."""
    if isinstance(node, ast.For | ast.comprehension):
        walked = code.segment(node.iter)
        if not walked.startswith(("range(", "count(", "itertools.count(")):
            yield code.replace(node.iter, f"list({walked})[1:]")
            yield code.replace(node.iter, f"list({walked})[:-1]")


def _off_by_one(code: Code, bound: ast.AST) -> Iterator[Edit]:
    """Nothing for a plain number: `constant` changes those."""
    if _whole_number(bound) is None:
        for change in ("+ 1", "- 1"):
            yield code.replace(bound, f"{code.operand(bound)} {change}")


def _others(code: Code, node: ast.AST) -> Iterator[str]:
    """What may stand instead of the constant `node`; nothing for all that is none."""
    number = _whole_number(node)
    if number is not None and not _under_minus(code, node):
        yield from (str(number + 1), str(number - 1))
    elif isinstance(node, ast.Constant):
        yield from _others_than(node.value)


def _others_than(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, float):
        yield from [repr(scale * value) for scale in SCALES] if value and math.isfinite(value) else ["1.0"]
    elif isinstance(value, str | bytes):
        prefix = "b" if isinstance(value, bytes) else ""
        yield f'{prefix}""' if value else f'{prefix}"x"'


def _whole_number(node: ast.AST) -> int | None:
    """The value of `3` and `-3`, None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _whole_number(node.operand) if isinstance(node.operand, ast.Constant) else None
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _under_minus(code: Code, node: ast.AST) -> bool:
    parent = code.parent(node)
    return isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.USub)


def _is_default(code: Code, node: ast.AST) -> bool:
    return isinstance(arguments := code.parent(node), ast.arguments) and node in [
        *arguments.defaults,
        *arguments.kw_defaults,
    ]


def _axis_keyword(code: Code, node: ast.AST) -> bool:
    return isinstance(keyword := code.parent(node), ast.keyword) and keyword.arg in AXES
