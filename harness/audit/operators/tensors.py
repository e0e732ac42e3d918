"""Faults with arrays and draws: masks, types, the function next door, seeds and weights of a sampler."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from harness.audit.code import Code, Edit
from harness.audit.operators.registry import operator

MASKED = {"masked_fill": 0, "masked_fill_": 0, "masked_select": 0}  # method -> which argument is the mask
TRIANGLES = ("tril", "triu")
TYPES = {
    "float64": ["float32"],
    "double": ["float"],
    "float32": ["float16"],
    "int64": ["int8", "float64"],
    "long": ["float"],
    "int32": ["int8"],
    "bool": ["float64"],
}
COUNTERPARTS = {
    "min": ["max"],
    "max": ["min"],
    "minimum": ["maximum"],
    "maximum": ["minimum"],
    "amin": ["amax"],
    "amax": ["amin"],
    "argmin": ["argmax"],
    "argmax": ["argmin"],
    "any": ["all"],
    "all": ["any"],
    "floor": ["ceil"],
    "ceil": ["floor"],
    "sum": ["mean", "max"],
    "mean": ["sum"],
    "prod": ["sum"],
    "cumsum": ["cumprod"],
    "cumprod": ["cumsum"],
    "zeros": ["ones"],
    "ones": ["zeros"],
    "zeros_like": ["ones_like"],
    "ones_like": ["zeros_like"],
    "log": ["log2", "exp"],
    "log2": ["log"],
    "log1p": ["log"],
    "exp": ["log", "exp2"],
    "sin": ["cos"],
    "cos": ["sin"],
    "tanh": ["sigmoid"],
    "relu": ["abs"],
    "var": ["std"],
    "std": ["var"],
    "randn": ["rand"],
    "rand": ["randn"],
    "normal": ["uniform"],
    "multinomial": ["topk"],
    "topk": ["sort"],
    "insert": ["append"],
    "pop": ["append"],
    "extend": ["append"],
    "startswith": ["endswith"],
    "endswith": ["startswith"],
    "lstrip": ["strip"],
    "rstrip": ["strip"],
    "encode": ["upper"],
    "most_common": ["elements"],
    "heappush": ["append"],
    "add": ["discard"],
    "union": ["intersection"],
    "intersection": ["union"],
    "items": ["keys"],
    "values": ["keys"],
    "cat": ["stack"],
    "stack": ["cat"],
    "softmax": ["sigmoid"],
    "log_softmax": ["softmax"],
}
SEEDED = ("Random", "default_rng", "seed", "manual_seed", "RandomState", "PCG64")
WEIGHTS = ("weights", "p", "cum_weights")


@operator("mask", fr="Masque inversé, décalé ou ignoré", en="Mask inverted, shifted or ignored")
def mask(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`x.masked_fill(m, v)` → `~(m)`; `tril()` → `triu()`, `tril(1)`, `tril(-1)`; `where(c, a, b)` → `a`, `b`."""
    name = _method(node)
    if not isinstance(node, ast.Call) or name is None:
        return
    if name in MASKED and len(node.args) > MASKED[name]:
        inverted = node.args[MASKED[name]]
        yield code.replace(inverted, f"~({code.segment(inverted)})")
    elif name in TRIANGLES:
        yield from _triangle(code, node)
    elif name == "where" and len(node.args) == 3:  # condition, then, else
        for branch in node.args[1:]:
            yield code.replace(node, code.operand(branch))


def _triangle(code: Code, node: ast.Call) -> Iterator[Edit]:
    """The other triangle; and one diagonal further, where none is named: `constant` moves those that are."""
    assert isinstance(node.func, ast.Attribute)  # noqa: S101  # a method or a module's function, see `mask`
    name = node.func.attr
    end = code.end(node.func)
    yield Edit(end - len(name), end, TRIANGLES[name == TRIANGLES[0]])
    of_module = isinstance(node.func.value, ast.Name) and node.func.value.id in {"np", "numpy", "torch"}
    if not node.keywords and len(node.args) == of_module:
        for shift in ("1", "-1"):
            text = f"{', ' if node.args else ''}{shift}"
            yield Edit(code.end(node) - 1, code.end(node) - 1, text)


@operator("dtype", fr="Type de nombres remplacé", en="Type of numbers replaced")
def dtype(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`np.float64` → `np.float32`, `.double()` → `.float()`."""
    if isinstance(node, ast.Attribute):
        for other in TYPES.get(node.attr, []):
            end = code.end(node)
            yield Edit(end - len(node.attr), end, other)


@operator("function", fr="Fonction voisine appelée", en="Neighbouring function called")
def function(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`max(x)` → `min(x)`, `x.argmax()` → `x.argmin()`, `x.sum()` → `x.mean()`."""
    if not isinstance(node, ast.Call):
        return
    name, end = _called(node), code.end(node.func)
    for other in COUNTERPARTS.get(name, []) if name else []:
        yield Edit(end - len(name or ""), end, other)


@operator("seed", fr="Graine ignorée ou figée", en="Seed ignored or fixed")
def seed(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`random.Random(seed)` → `random.Random(0)`, `random.Random()`; `generator=g` left out."""
    if isinstance(node, ast.Call) and _called(node) in SEEDED and len(node.args) == 1 and not node.keywords:
        yield code.replace(node.args[0], "0")
        if _called(node) != "manual_seed":  # it takes one
            yield code.replace(node.args[0], "")


@operator("draw", fr="Tirage biaisé", en="Draw biased")
def draw(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`choices(xs, weights=w)` → weights squared, the likeliest; `multinomial(p, 1)` → `argmax`."""
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg in WEIGHTS:
            squares = f"[weight ** 2 for weight in {code.segment(keyword.value)}]"
            if keyword.arg == "p":  # probabilities, which add up to one
                squares = f"(lambda squares: [one / sum(squares) for one in squares])({squares})"
            yield code.replace(keyword.value, squares)
            if _called(node) == "choices" and node.args:
                likeliest = f"max(zip({code.segment(keyword.value)}, {code.segment(node.args[0])}))[1]"
                yield code.replace(node, f"[{likeliest}]")
    if _called(node) == "multinomial" and node.args and isinstance(node.func, ast.Attribute):
        of_module = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
        weights = code.operand(node.args[0] if of_module else node.func.value)
        yield code.replace(node, f"{weights}.argmax(-1, keepdim=True)")
        yield code.replace(node.args[0] if of_module else node.func.value, f"({weights} ** 2)")


@operator("order", fr="Ordre inversé", en="Order reversed")
def order(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`sorted(x)` → `sorted(x, reverse=True)`; `xs[i, j]` → `xs[j, i]`; `return a, b` → `return b, a`."""
    if isinstance(node, ast.Call) and _called(node) in {"sorted", "sort", "argsort"}:
        flag = "descending" if _called(node) in {"argsort"} else "reverse"
        if not any(keyword.arg in {"reverse", "descending", "stable"} for keyword in node.keywords):
            comma = ", " if node.args or node.keywords else ""
            yield Edit(code.end(node) - 1, code.end(node) - 1, f"{comma}{flag}=True")
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        for first, second in pairwise(node.elts):
            if code.segment(first) != code.segment(second):
                yield _exchanged(code, first, second)


@operator("equation", fr="Indices d'einsum échangés", en="Letters of einsum exchanged")
def equation(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`einsum("ij,jk->ik", ...)` → `"ij,jk->ki"`."""
    if not (isinstance(node, ast.Call) and _called(node) == "einsum" and node.args):
        return
    first = node.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and "->" in first.value:
        terms, result = (part.strip() for part in first.value.split("->"))
        for i in range(len(result) - 1):
            if result[i : i + 2].isalpha():
                other = result[:i] + result[i + 1] + result[i] + result[i + 2 :]
                yield code.replace(first, repr(f"{terms}->{other}").replace("'", '"'))


@operator("transpose", fr="Transposition oubliée", en="Transposition forgotten")
def transpose(code: Code, node: ast.AST) -> Iterator[Edit]:
    """`x.T` → `x`."""
    if isinstance(node, ast.Attribute) and node.attr in {"T", "mT", "H"}:
        yield code.replace(node, code.text[code.start(node) : code.end(node.value)])


def _exchanged(code: Code, first: ast.AST, second: ast.AST) -> Edit:
    """Two neighbours exchanged, with what stands between them left there."""
    between = code.text[code.end(first) : code.start(second)]
    text = f"{code.segment(second)}{between}{code.segment(first)}"
    return Edit(code.start(first), code.end(second), text)


def _called(node: ast.Call) -> str | None:
    """The last name of what is called: `sum` of `x.sum()` and of `sum(x)`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def _method(node: ast.AST) -> str | None:
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
