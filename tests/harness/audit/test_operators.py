"""Every operator, on the source that it is about: what it writes there, and nothing else."""

import pytest

from harness.audit.code import Code
from harness.audit.operators import OPERATORS

# operator, the body of a function of x, y and z, what it becomes
BECOMES: list[tuple[str, str, list[str]]] = [
    ("arithmetic", "return x + y", ["return x - y"]),
    ("arithmetic", "return (x *  # why *\n  y)", ["return (x /  # why *\n  y)", "return (x +  # why *\n  y)"]),
    ("arithmetic", "return x ** y // z", ["return x ** y / z", "return x * y // z"]),
    ("arithmetic", "return x @ y % z", ["return x @ y // z", "return x * y % z"]),
    ("bitwise", "return x & ~y", ["return x | ~y", "return x & y"]),
    ("bitwise", "return x << y ^ z", ["return x << y | z", "return x >> y ^ z"]),
    ("update", "x += y", ["x -= y", "x = y"]),
    ("update", "x |= y", ["x &= y", "x = y"]),
    ("scaling", "return (x + y) / z", ["return (x + y)"]),
    ("scaling", "return x - y * z", ["return x - y", "return x - z"]),
    ("term", "return x - (y + z)", ["return x", "return (y + z)", "return x - (y)", "return x - (z)"]),
    ("operands", "return x - (y + z)", ["return (y + z) - x"]),
    ("operands", "return 'é' + x + y", ["return x + 'é' + y"]),
    ("sign", "return -(x + y)", ["return (x + y)"]),
    ("boolean", "return x and not y", ["return x or not y", "return x", "return (not y)", "return x and y"]),
    ("comparison", "return x < y", ["return x <= y", "return x > y"]),
    ("comparison", "return x <= y == z", ["return x < y == z", "return x >= y == z", "return x <= y != z"]),
    ("comparison", "return x is not y", ["return x is y"]),
    ("comparison", "return x  not  in y", ["return x  in y"]),
    ("condition", "return x if y else z", [f"return x if {to} else z" for to in ("not (y)", "False", "True")]),
    ("condition", "while x: y()", ["while not (x): y()", "while False: y()"]),
    ("condition", "return [a for a in x if a]", ["return [a for a in x if not (a)]", "return [a for a in x if True]"]),
    ("branches", "return x if y else z", ["return (x)", "return (z)"]),
    ("constant", "return x[-1]", ["return x[0]", "return x[-2]"]),
    ("constant", "return 2.0", ["return 4.0", "return 1.0"]),
    ("constant", "return True", ["return False"]),
    ("constant", 'return x + "é"', ['return x + ""']),
    ("constant", 'return ""', ['return "x"']),
    ("constant", "return b'a'", ['return b""']),
    ("constant", "x.sum(dim=-1)", []),
    ("constant", 'raise ValueError("three words here")', []),
    ("constant", '"""What it does."""\n    return x', []),
    ("constant", 'return f"{x}: {y[1]}"', ['return f"{x}: {y[2]}"', 'return f"{x}: {y[0]}"']),
    ("axis", "return x.sum(dim=-1)", [f"return x.sum(dim={to})" for to in ("-2", "0", "1", "None")]),
    ("axis", "return x.sum(axis=(0, 1))", ["return x.sum(axis=None)"]),
    ("infinity", "return math.inf", ["return 1e4"]),
    ("range", "return range(x)", ["return range(1, x)", "return range(x + 1)", "return range(x - 1)"]),
    ("range", "return range(0, x + y)", ["return range(0, (x + y) + 1)", "return range(0, (x + y) - 1)"]),
    ("slice", "return x[y:]", ["return x[y + 1:]", "return x[y - 1:]", "return x[:]"]),
    ("slice", "return x[1:2:y]", ["return x[:2:y]", "return x[1::y]", "return x[1:2:]"]),
    ("index", "return x[y + z, 0]", ["return x[(y + z) + 1, 0]", "return x[(y + z) - 1, 0]"]),
    ("elements", "return [a for a in x]", ["return [a for a in list(x)[1:]]", "return [a for a in list(x)[:-1]]"]),
    ("elements", "for a in range(x): y(a)", []),
    ("mask", "return x.masked_fill(y, z)", ["return x.masked_fill(~(y), z)"]),
    ("mask", "return x.tril()", ["return x.triu()", "return x.tril(1)", "return x.tril(-1)"]),
    ("mask", "return np.triu(x)", ["return np.tril(x)", "return np.triu(x, 1)", "return np.triu(x, -1)"]),
    ("mask", "return torch.tril(x, 1)", ["return torch.triu(x, 1)"]),
    ("mask", "return np.where(x, y + 1, z)", ["return (y + 1)", "return z"]),
    ("dtype", "return np.float64(x)", ["return np.float32(x)"]),
    ("dtype", "return x.double()", ["return x.float()"]),
    ("function", "return x.argmax()", ["return x.argmin()"]),
    ("function", "return max(x)", ["return min(x)"]),
    ("seed", "return random.Random(x)", ["return random.Random(0)", "return random.Random()"]),
    ("seed", "return x.manual_seed(y)", ["return x.manual_seed(0)"]),
    (
        "draw",
        "return x.choices(y, weights=z)",
        ["return x.choices(y, weights=[weight ** 2 for weight in z])", "return [max(zip(z, y))[1]]"],
    ),
    (
        "draw",
        "return x.choice(3, p=y)",
        [
            "return x.choice(3, p=(lambda squares: [one / sum(squares) for one in squares])"
            "([weight ** 2 for weight in y]))"
        ],
    ),
    (
        "draw",
        "return torch.multinomial(x, 1)",
        ["return x.argmax(-1, keepdim=True)", "return torch.multinomial((x ** 2), 1)"],
    ),
    ("order", "return sorted(x)", ["return sorted(x, reverse=True)"]),
    ("order", "return x.argsort()", ["return x.argsort(descending=True)"]),
    ("order", "return x, y", ["return y, x"]),
    ("order", "return x[y, y]", []),
    ("equation", 'return np.einsum("ij,jk->ik", x, y)', ['return np.einsum("ij,jk->ki", x, y)']),
    ("transpose", "return x @ y.T", ["return x @ y"]),
    ("arguments", "return f(x, y + 1)", ["return f(y + 1, x)"]),
    ("arguments", "return f(x, x)", []),
    ("option", "return f(x, key=y)", ["return f(x)"]),
    ("option", "return f(key=x, other=y)", ["return f(other=y)", "return f(key=x)"]),
    ("argument", "return x.get(y, 0)", ["return x.get(y)"]),
    ("call", "return float(x)", ["return x"]),
    ("call", "return (x + y).clone()", ["return (x + y)"]),
    ("call", "return np.exp(x)", ["return x"]),
    ("call", "return x.sum(0)", ["return 0", "return x"]),
    ("call", "x.append(y)", []),
    ("name", "return y", ["return x", "return z"]),
    ("name", "return a", []),
    ("in-place", "return x + y", ["x += y; return x"]),
    ("in-place", "a = x - (y + z)", ["x -= (y + z); a = x"]),
    ("in-place", "a = a + y", []),
    ("statement", "x = y\n    a = x\n    return a", ["pass\n    a = x\n    return a"]),
    ("statement", "if x:\n        y()\n    return z", ["pass\n    return z", "if x:\n        pass\n    return z"]),
    ("jump", "for a in x:\n        break", ["for a in x:\n        continue", "for a in x:\n        pass"]),
    ("loop", "for a in x:\n        y()", ["for a in x:\n        y()\n        break"]),
    ("loop", "for a in x: y()", ["for a in x: y(); break"]),
    ("return", "return x", ["return None"]),
    ("return", "return None", []),
    (
        "return",
        "for a in x:\n        y(a)\n    return z",
        ["for a in x:\n        y(a)\n        return z\n    return z", "for a in x:\n        y(a)\n    return None"],
    ),
]  # fmt: skip


def mutated(operator: str, text: str) -> list[str]:
    code = Code(text)
    return [code.changed(edit) for node in code.nodes for edit in OPERATORS[operator].edits(code, node)]


@pytest.mark.parametrize(("operator", "body", "becomes"), BECOMES)
def test_it_writes_what_a_slip_of_its_kind_would(operator: str, body: str, becomes: list[str]) -> None:
    head = "def f(x, y, z):\n    "
    assert mutated(operator, head + body) == [head + one for one in becomes]


def test_defaults_have_an_operator_of_their_own() -> None:
    text = "def f(x, causal=False, *, axis=-1):\n    return x"
    changed = {text.replace("False", "True"), text.replace("-1", "0"), text.replace("-1", "-2")}
    assert set(mutated("default", text)) == changed
    assert mutated("constant", text) == []


def test_places_are_found_among_characters_of_every_length_and_line() -> None:
    text = 'def f(x, y):\n    s = "é😀\x0c\u2028"; return x + y  # ø\n'
    assert mutated("arithmetic", text) == [text.replace("x + y", "x - y")]


def test_every_operator_is_tried_above() -> None:
    assert {operator for operator, _, _ in BECOMES} | {"default"} == set(OPERATORS)


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_every_operator_has_a_title_in_both_languages(operator: str) -> None:
    title = OPERATORS[operator].title
    assert title.fr
    assert title.en
    assert title.fr != title.en
