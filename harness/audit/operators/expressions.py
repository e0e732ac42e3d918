"""Faults in expressions: one operator for another, an operand forgotten, two exchanged, a condition turned round."""

import ast
from collections.abc import Iterator

from harness.audit.code import Code, Edit
from harness.audit.operators.registry import operator

SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.And: "and",
    ast.Or: "or",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
ARITHMETIC = {"+": ["-"], "-": ["+"], "*": ["/", "+"], "/": ["*"], "//": ["/"], "%": ["//"], "**": ["*"], "@": ["*"]}
BITWISE = {"&": ["|"], "|": ["&"], "^": ["|"], "<<": [">>"], ">>": ["<<"]}
COMPARISONS = {
    "<": ["<=", ">"],
    "<=": ["<", ">="],
    ">": [">=", "<"],
    ">=": [">", "<="],
    "==": ["!="],
    "!=": ["=="],
    "in": ["not in"],
    "not in": ["in"],
    "is": ["is not"],
    "is not": ["is"],
}
ONE_WAY = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)  # the order of operands matters
SCALING = (ast.Mult, ast.Div, ast.FloorDiv, ast.Pow)


@operator("arithmetic", fr="Opérateur arithmétique remplacé", en="Arithmetic operator replaced")
def arithmetic(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`a + b` → `a - b`."""
    if isinstance(node, ast.BinOp):
        yield from _signs(code, node.left, node.right, node.op, ARITHMETIC)


@operator("bitwise", fr="Opérateur bit à bit remplacé", en="Bitwise operator replaced")
def bitwise(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`a & b` → `a | b`, `~a` → `a`."""
    if isinstance(node, ast.BinOp):
        yield from _signs(code, node.left, node.right, node.op, BITWISE)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield code.replace(node, code.operand(node.operand))


@operator("update", fr="Mise à jour d'une variable remplacée", en="Update of a variable replaced")
def update(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`total += x` → `total -= x`, `total = x`."""
    if isinstance(node, ast.AugAssign):
        sign = SIGNS[type(node.op)]
        start, end = code.operator(node.target, node.value, f"{sign}=")
        for other in [*ARITHMETIC.get(sign, []), *BITWISE.get(sign, []), ""]:
            yield Edit(start, end, f"{other}=")


@operator("scaling", fr="Mise à l'échelle oubliée", en="Scaling forgotten")
def scaling(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`x / n` → `x`, `x * w` → `x`, `w`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, SCALING):
        yield from _one_of(code, node, both=isinstance(node.op, ast.Mult))


@operator("term", fr="Terme oublié", en="Term forgotten")
def term(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`x + y` → `x`, `y`; the same for every operator that does not scale."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, SCALING):
        yield from _one_of(code, node, both=True)


@operator("operands", fr="Opérandes échangés", en="Operands exchanged")
def operands(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`a - b` → `b - a`."""
    if isinstance(node, ast.BinOp) and (isinstance(node.op, ONE_WAY) or _joins_strings(node)):
        yield code.replace(node, f"{_right(code, node)} {SIGNS[type(node.op)]} {_left(code, node)}")


@operator("sign", fr="Signe oublié", en="Sign forgotten")
def sign(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`-x` → `x`."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield code.replace(node, code.operand(node.operand))


@operator("boolean", fr="Opérateur logique remplacé", en="Boolean operator replaced")
def boolean(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`a and b` → `a or b`, `a`, `b`; `not a` → `a`."""
    if isinstance(node, ast.BoolOp):
        other = {"and": ["or"], "or": ["and"]}
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from _signs(code, left, right, node.op, other)
        for value in node.values:
            yield code.replace(node, code.operand(value))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield code.replace(node, code.operand(node.operand))


@operator("comparison", fr="Comparaison remplacée", en="Comparison replaced")
def comparison(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`a < b` → `a <= b`, `a > b`; `a == b` → `a != b`."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, right, op in zip(sides, sides[1:], node.ops, strict=False):
            yield from _signs(code, left, right, op, COMPARISONS)


@operator("condition", fr="Condition niée ou ignorée", en="Condition negated or ignored")
def condition(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`if a:` → `if not (a):`, `if True:`, `if False:`; a comprehension's `if a` → `if True`."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield code.replace(node.test, f"not ({code.segment(node.test)})")
        yield code.replace(node.test, "False")
        if not isinstance(node, ast.While):  # a loop without end says nothing that its negation does not
            yield code.replace(node.test, "True")
    elif isinstance(node, ast.comprehension):
        for test in node.ifs:
            yield code.replace(test, f"not ({code.segment(test)})")
            yield code.replace(test, "True")


@operator("branches", fr="Branches échangées", en="Branches exchanged")
def branches(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`a if c else b` → `a`, `b`."""
    if isinstance(node, ast.IfExp):
        yield code.replace(node, f"({code.segment(node.body)})")
        yield code.replace(node, f"({code.segment(node.orelse)})")


def _signs(code: Code, left: ast.AST, right: ast.AST, op: ast.AST, others: dict[str, list[str]]) -> Iterator[Edit]:
    sign = SIGNS[type(op)]
    for other in others.get(sign, []):
        yield Edit(*code.operator(left, right, sign), other)


def _one_of(code: Code, node: ast.BinOp, *, both: bool) -> Iterator[Edit]:
    yield code.replace(node, _whole(code, node, _left(code, node), node.left))
    if both:
        yield code.replace(node, _whole(code, node, _right(code, node), node.right))


def _whole(code: Code, node: ast.BinOp, text: str, kept: ast.AST) -> str:
    """`text` of the operand that is `kept`, in parentheses where `node` is itself part of an operation."""
    loose = isinstance(kept, ast.BinOp | ast.UnaryOp) and not text.startswith("(")
    return f"({text})" if loose and isinstance(code.parent(node), ast.BinOp | ast.UnaryOp) else text


def _left(code: Code, node: ast.BinOp) -> str:
    """The left operand with its parentheses."""
    start, _ = code.operator(node.left, node.right, SIGNS[type(node.op)])
    return code.text[code.start(node) : start].rstrip()


def _right(code: Code, node: ast.BinOp) -> str:
    _, end = code.operator(node.left, node.right, SIGNS[type(node.op)])
    return code.text[end : code.end(node)].lstrip()


def _joins_strings(node: ast.BinOp) -> bool:
    """Whether a sum is surely one of strings: there, the order matters."""
    parts = (node.left, node.right)
    return isinstance(node.op, ast.Add) and any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in parts
    )
