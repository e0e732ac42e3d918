"""Solution cells become what students start from: signature, contract, hints; nothing of the answer."""

import ast

import pytest

from harness.course import EntryPoint
from harness.records import Language, Text
from harness.release.stubs import stubs

ENTRIES = {
    name: EntryPoint(name, f"{name}(x)", Text("x : un entier", "x: an integer"), Text("l'entier", "the integer"))
    for name in ("double", "halve", "Counter")
}
SEVERAL = '''import secret_module
LIMIT = 12


def _helper(x):
    return x * 2  # the trick


@cached
def double(x: int, *, by=2) -> int:
    """Multiply, secretly."""
    return _helper(x) * by // 2


async def halve(x, y=(1, 2)):
    return x / 2


print(double(21))
'''
COUNTER = '''class Counter(dict, metaclass=type):
    """Counts in a way that nobody guesses."""
    step = 17

    def __init__(self, start=0):
        self._n = start

    @property
    def value(self):
        return self._n

    @staticmethod
    def of(*parts, **rest):
        return Counter(sum(parts))

    @timed
    def add(self, n: int = 1) -> None:
        def inner():
            return n
        self._bump(inner())

    def _bump(self, n):
        self._n += n
'''


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", ["Reçoit\u00a0: x\u00a0: un entier", "Renvoie\u00a0: l’entier", "à compléter"]),
        ("en", ["Takes: x: an integer", "Returns: the integer", "to be completed"]),
    ],
)
def test_a_function_keeps_its_signature_and_says_its_contract(language: Language, words: list[str]) -> None:
    takes, returns, todo = words
    assert stubs("def double(x):\n    return 2 * x\n", ENTRIES, language) == (
        f'def double(x):\n    """{takes}\n\n    {returns}\n    """\n    raise NotImplementedError("{todo}")'
    )


def test_of_several_definitions_the_entry_points_stay_and_everything_else_goes() -> None:
    made = stubs(SEVERAL, ENTRIES, "en")
    assert "def double(x: int, *, by=2) -> int:\n" in made
    assert "async def halve(x, y=(1, 2)):\n" in made
    for gone in ("secret", "LIMIT", "_helper", "trick", "@cached", "print", "//", "x / 2"):
        assert gone not in made
    assert [type(node.body[-1]) for node in ast.parse(made).body] == [ast.Raise, ast.Raise]


def test_a_class_keeps_the_methods_that_others_call() -> None:
    made = stubs(COUNTER, ENTRIES, "en")
    (tree,) = ast.parse(made).body
    assert isinstance(tree, ast.ClassDef)
    assert ast.get_docstring(tree) == "Takes: x: an integer\n\nReturns: the integer"
    methods = [ast.unparse(node).split("\n") for node in tree.body if isinstance(node, ast.FunctionDef)]
    todo = "    raise NotImplementedError('to be completed')"
    assert methods == [
        ["def __init__(self, start=0):", todo],
        ["@property", "def value(self):", todo],
        ["@staticmethod", "def of(*parts, **rest):", todo],
        ["def add(self, n: int=1) -> None:", todo],
    ]
    for gone in ("step", "_bump", "inner", "timed", "nobody guesses", "_n"):
        assert gone not in made


def test_a_cell_without_an_entry_point_goes_altogether() -> None:
    assert stubs("import math\n\n\ndef _helper(x):\n    return math.pi\n", ENTRIES, "fr") == ""


def test_hints_stay_in_their_language_and_in_their_function() -> None:
    source = (
        "# hint en: Two lines do.\n# hint fr: Deux lignes suffisent.\n# a remark\n"
        "def double(x):\n    # hint en: Add x to itself.\n    return x + x  # hint fr: Ajoutez x à lui-même.\n"
    )
    english, french = (stubs(source, ENTRIES, language) for language in ("en", "fr"))
    assert english.startswith("# Two lines do.\n\n\ndef double")
    assert '"""\n    # Add x to itself.\n    raise' in english
    assert french.startswith("# Deux lignes suffisent.\n\n\ndef double")
    assert '"""\n    # Ajoutez x à lui-même.\n    raise' in french
    assert "remark" not in english + french


def test_no_line_of_a_contract_ends_within_a_shape() -> None:
    shapes = ["(N, D)", "(B, P + T, D)", "(D,)", "(…, n·m)"]
    for before in range(60, 90):
        words = f"{'x' * before} {' '.join(shapes)}"
        entry = EntryPoint("double", "double(x)", Text(words, words), Text("y", "y"))
        stub = stubs("def double(x):\n    return 2 * x\n", {"double": entry}, "en")
        assert all(shape in stub for shape in shapes)
        assert "\0" not in stub


def test_a_contract_may_hold_quotes_and_backslashes() -> None:
    entry = EntryPoint("double", "double(x)", Text("rien", 'a "quoted" \\n and """three"""'), Text("rien", 'ends in "'))
    made = stubs("def double(x):\n    return x\n", {"double": entry}, "en")
    (tree,) = ast.parse(made).body
    assert ast.get_docstring(tree) == 'Takes: a "quoted" \\n and """three"""\n\nReturns: ends in "'


def test_what_is_not_python_is_said() -> None:
    with pytest.raises(SyntaxError):
        stubs("def double(x:\n", ENTRIES, "en")
