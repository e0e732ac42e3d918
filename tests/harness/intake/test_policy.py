"""Disguises of a forbidden name that must be seen, and honest code that must not be accused."""

import pytest

from harness.intake.parse import Parsed, parse_cells, parse_source
from harness.intake.policy import violations
from harness.records import Cell, Notice

FORBIDDEN = (
    "torch.softmax",
    "torch.Tensor.softmax",
    "torch.nn.Softmax",
    "torch.nn.functional.softmax",
    "torch.ops.aten",
    "sklearn",
)


def found(*sources: str, modules: dict[str, str] | None = None) -> tuple[Notice, ...]:
    parsed, failures = parse_cells([Cell(i, f"c{i}", source) for i, source in enumerate(sources)])
    assert not failures
    beside = {name: Parsed(parse_source(source), None, f"{name}.py") for name, source in (modules or {}).items()}
    return violations(parsed, beside, FORBIDDEN)


DISGUISES = {
    "import": ["import sklearn"],
    "submodule": ["import sklearn.linear_model as lm"],
    "from": ["from sklearn.metrics import f1_score"],
    "from import": ["from torch.nn.functional import softmax as sm"],
    "alias": ["import torch.nn.functional as F", "F.softmax(x, -1)"],
    "package alias": ["from torch import nn as x", "x.functional.softmax(y)"],
    "function alias": ["import torch", "sm = torch.softmax", "def f(x): return sm(x)"],
    "tuple assignment": ["import torch, numpy", "a, b = torch.nn, numpy", "a.Softmax(-1)"],
    "walrus": ["import torch", "(n := torch.nn).Softmax(0)"],
    "star": ["from torch.nn.functional import *", "softmax(x, -1)"],
    "star of package": ["from torch import *", "y = nn.Softmax(dim=-1)"],
    "star in function": ["from torch.nn.functional import *\ndef f(x):\n    return softmax(x)"],
    "default argument": ["import torch", "def f(x, n=torch.nn): return n.Softmax(x)"],
    "keyword default": ["import torch", "def f(x, *, n=torch.nn): return n.Softmax(x)"],
    "either branch": ["import torch, numpy\nif x:\n    m = torch.nn\nelse:\n    m = numpy", "m.Softmax(0)"],
    "import_module": ["import importlib", "importlib.import_module('sklearn')"],
    "import_module alias": ["from importlib import import_module as im", "m = im('torch.nn')\nm.Softmax(0)"],
    "__import__": ["__import__('skl' + 'earn')"],
    "__import__ chain": ["__import__('torch.nn').nn.functional.softmax(x)"],
    "f-string": ["__import__(f'skl{'earn'}')".replace("'earn'", '"earn"')],
    "getattr": ["import torch.nn.functional as F", "getattr(F, 'soft' + 'max')(x)"],
    "vars": ["import torch", "vars(torch)['softmax'](x)"],
    "__dict__": ["import torch", "torch.__dict__['softmax'](x)"],
    "sys.modules": ["import sys", "sys.modules['sklearn']"],
    "exec": ["exec('import sklearn')"],
    "exec binds": ["exec('import torch.nn.functional as F')", "F.softmax(x)"],
    "eval alias": ["e = eval", "e('__import__(\"sklearn\")')"],
    "tensor method": ["y = x.softmax(-1)"],
    "method in class": ["class A:\n    def f(self, q):\n        return (q @ q).softmax(-1)"],
    "attribute of self": ["class A:\n    def f(self):\n        return self.q.softmax(-1)"],
    "unbound method": ["import torch", "torch.Tensor.softmax(x, -1)"],
    "below": ["import torch", "torch.ops.aten._softmax(x)"],
    "lambda": ["import torch", "f = lambda x: torch.softmax(x, -1)"],
    "comprehension": ["import torch", "[torch.softmax(x, 0) for x in xs]"],
    "decorator": ["import sklearn_like", "@__import__('sklearn').wrap\ndef f(): pass"],
    "magic": ["import torch", "%timeit torch.softmax(x, 0)"],
    "cell magic": ["import torch", "%%time\ntorch.softmax(x, 0)"],
    "after a shell line": ["!ls\nimport sklearn"],
    "try": ["try:\n    import sklearn\nexcept ImportError:\n    pass"],
    "match": ["import torch\nmatch x:\n    case 1:\n        torch.softmax(x)"],
    "async": ["import torch\nasync def f(x):\n    return torch.softmax(x)"],
    "annotated": ["import torch\nf: object = torch.softmax"],
}


@pytest.mark.parametrize("cells", DISGUISES.values(), ids=DISGUISES.keys())
def test_disguise_is_seen(cells: list[str]) -> None:
    assert {notice.code for notice in found(*cells)} == {"forbidden-name"}


HONEST = {
    "own function": ["def softmax(x): return x", "softmax(1)"],
    "own function after star": ["from torch.nn.functional import *", "def softmax(x): return x", "softmax(1)"],
    "own function later": ["from torch.nn.functional import *\ndef f(x): return softmax(x)", "def softmax(x): ..."],
    "own lambda after star": ["from torch.nn.functional import *", "softmax = lambda x: x", "softmax(1)"],
    "own class": ["class Softmax: ...", "Softmax()"],
    "own method": ["class H:\n    def softmax(self, x): return x", "def f(head): return head.softmax(1)"],
    "inherited method": ["class H(Base):\n    def f(self, x):\n        return self.softmax(x)"],
    "own attribute": ["class H:\n    def __init__(self, g): self.softmax = g", "def f(h): return h.softmax(1)"],
    "other functions": ["import torch.nn.functional as F", "F.relu(F.log_softmax(x))", "import torch\ntorch.exp(x)"],
    "text": ['"""import sklearn; torch.softmax"""', "# torch.softmax\nprint('torch.softmax, sklearn')"],
    "parts of names": ["import sklearning, mysklearn", "x.softmax_temperature"],
    "rebound alias": ["import torch.nn.functional as F", "class F:\n    softmax = staticmethod(min)", "F.softmax(1)"],
    "parameter": ["from torch.nn.functional import *", "def f(softmax): return softmax(1)"],
    "loop variable": ["from torch.nn.functional import *", "for softmax in range(3): pass"],
    "numpy": ["import numpy as np", "np.softmax", "from scipy.special import softmax"],
    "stored": ["x.softmax = 3"],
    "exec of something": ["exec(open('a').read())", "exec('1 +')"],
}


@pytest.mark.parametrize("cells", HONEST.values(), ids=HONEST.keys())
def test_honest_code_is_not_accused(cells: list[str]) -> None:
    assert found(*cells) == ()


def test_notice_says_what_and_where() -> None:
    (notice,) = found("import torch", "x = 1\n\ny = torch.softmax(x, -1)")
    assert (notice.cell, notice.line) == (1, 3)
    assert "torch.softmax" in notice.text.fr
    assert "torch.softmax" in notice.text.en


def test_same_line_is_reported_once() -> None:
    assert len(found("import torch\nz = torch.softmax(torch.softmax(x, 0), 0)")) == 1


def test_module_beside_the_notebook_is_read_too() -> None:
    (notice,) = found("x = 1", modules={"helper": "import torch\n\ndef f(x):\n    return torch.softmax(x)"})
    assert (notice.code, notice.cell, notice.line) == ("forbidden-name-in-module", None, 4)
    assert "helper.py" in notice.text.fr


@pytest.mark.parametrize(
    "cell",
    [
        "import helper\nhelper.F.softmax(x)",
        "from helper import F as G\nG.softmax(x)",
        "from helper import *\nF.softmax(x)",
    ],
)
def test_alias_made_in_a_module_is_followed(cell: str) -> None:
    (notice,) = found(cell, modules={"helper": "import torch.nn.functional as F"})
    assert (notice.code, notice.cell, notice.line) == ("forbidden-name", 0, 2)


def test_modules_that_import_each_other_end() -> None:
    assert found("import a", modules={"a": "from b import *", "b": "from a import *"}) == ()


def test_exec_in_exec_is_followed() -> None:
    source = "import sklearn"
    for _ in range(4):
        source = f"exec({source!r})"
    assert [notice.line for notice in found(f"x = 1\n{source}")] == [2]


def test_lines_are_right_after_blank_ones_and_a_magic() -> None:
    (notice,) = found("\n\n!ls\nimport sklearn")
    assert notice.line == 4
