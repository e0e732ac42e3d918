"""Faults in calls: arguments exchanged or forgotten, a call left out, work done on the caller's own data."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from harness.audit.code import Code, Edit, FunctionNode
from harness.audit.operators.expressions import SIGNS
from harness.audit.operators.numbers import AXES
from harness.audit.operators.registry import operator

KEPT = {"len", "print", "range", "isinstance", "type", "super", "enumerate", "zip", "open"}  # without them nothing runs


@operator("arguments", fr="Arguments échangés", en="Arguments exchanged")
def arguments(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`f(a, b)` → `f(b, a)`."""
    if not isinstance(node, ast.Call):
        return
    for first, second in pairwise(node.args):
        if code.segment(first) != code.segment(second):
            between = code.text[code.end(first) : code.start(second)]
            yield Edit(code.start(first), code.end(second), code.segment(second) + between + code.segment(first))


@operator("option", fr="Option oubliée", en="Option left out")
def option(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`f(x, key=g)` → `f(x)`."""
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in AXES:
                yield _without(code, node, keyword)


@operator("argument", fr="Dernier argument oublié", en="Last argument left out")
def argument(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`counts.get(key, 0)` → `counts.get(key)`."""
    if isinstance(node, ast.Call) and len(node.args) > 1 and not node.keywords:
        yield Edit(code.end(node.args[-2]), code.end(node.args[-1]), "")


@operator("call", fr="Appel oublié", en="Call left out")
def call(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`float(x)` → `x`, `sorted(xs)` → `xs`, `x.clone()` → `x`, `x.sum(0)` → `x`."""
    if not isinstance(node, ast.Call) or isinstance(code.parent(node), ast.Expr):
        return
    if isinstance(node.func, ast.Name) and node.func.id in KEPT:
        return
    if len(node.args) >= 1 and not isinstance(node.args[0], ast.GeneratorExp | ast.Starred):
        yield code.replace(node, code.operand(node.args[0]))
    if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
        yield code.replace(node, code.text[code.start(node) : code.end(node.func.value)] + _closing(code, node.func))


@operator("name", fr="Un argument pour un autre", en="One argument for another")
def name(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`q.shape` → `k.shape`, between the parameters of one function."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        function = code.function(node)
        parameters = _parameters(function) if function is not None else []
        if node.id in parameters:
            place = parameters.index(node.id)
            neighbours = parameters[max(0, place - 1) : place] + parameters[place + 1 : place + 2]
            for other in neighbours:
                yield code.replace(node, other)


@operator("in-place", fr="Argument modifié sur place", en="Argument changed in place")
def in_place(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`y = x + b` → `x += b; y = x`, where x is a parameter; the same for `return x + b`."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name)):
        return
    statement, function = code.parent(node), code.function(node)
    if function is None or node.left.id not in _parameters(function):
        return
    if isinstance(statement, ast.Assign | ast.Return) and statement.value is node:
        x, sign = node.left.id, SIGNS[type(node.op)]
        _, end = code.operator(node.left, node.right, sign)
        added = code.text[end : code.end(node)].lstrip()
        before = code.text[code.start(statement) : code.start(node)]
        yield Edit(code.start(statement), code.end(statement), f"{x} {sign}= {added}; {before}{x}")


def _without(code: Code, node: ast.Call, keyword: ast.keyword) -> Edit:
    """The call without one of its keywords, and without the comma before or after it."""
    given = [*node.args, *node.keywords]
    place = given.index(keyword)
    if place > 0:
        return Edit(code.end(given[place - 1]), code.end(keyword), "")
    after = code.start(given[1]) if len(given) > 1 else code.end(keyword)
    return Edit(code.start(keyword), after, "")


def _closing(code: Code, attribute: ast.Attribute) -> str:
    """Parentheses that stand around what a method is called on, after it."""
    after = code.text[code.end(attribute.value) : code.end(attribute)]
    return after[: after.rindex(".")].rstrip()


def _is_module(node: ast.AST) -> bool:
    """Whether this looks like a module: a plain name that no function of the cell takes or sets."""
    return isinstance(node, ast.Name) and node.id in {"np", "numpy", "torch", "math", "random", "F", "nn", "itertools"}


def _parameters(function: FunctionNode) -> list[str]:
    taken = function.args
    names = [one.arg for one in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
    return [one for one in names if one not in {"self", "cls"}]
