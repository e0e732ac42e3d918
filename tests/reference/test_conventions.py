"""Every public function of the oracle is written the same way: shapes, source, errors, cost, example, device.

Classes say their Source once, for all their methods; functions each say it themselves. Reads the code and its
docstrings; that the examples are true is for the doctests, that the values are right for the proofs.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from jaxtyping import Float64

sys.path.append(str(Path(__file__).parent))  # tests have no packages
from components import Component, classes, functions

import reference
from reference.checked import checked

FILES = sorted(Path(reference.__file__).parent.rglob("*.py"))
FACTORIES = {
    "arange",
    "empty",
    "eye",
    "full",
    "linspace",
    "ones",
    "rand",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
}
MAX_LINES = 200
ARRAYS = (torch.Tensor, np.ndarray)

functions_named = pytest.mark.parametrize("function", functions(), ids=str)


def sections(function: Component) -> set[str]:
    """The headings that a docstring has."""
    return set(re.findall(r"^(Source|Args|Returns|Yields|Raises|Cost):", function.doc, flags=re.MULTILINE))


@functions_named
def test_docstring_says_source_errors_cost_and_shows_an_example(function: Component) -> None:
    needed = {"Source", "Raises", "Cost"} if "." not in function.name else {"Raises", "Cost"}
    assert needed <= sections(function), f"{function} lacks {sorted(needed - sections(function))}"
    assert ">>> " in function.doc, f"{function} has no doctest"


@functions_named
def test_docstring_describes_every_parameter(function: Component) -> None:
    parameters = [name for name in inspect.signature(function.value).parameters if name not in {"self", "cls"}]
    described = re.findall(r"^    ((?:\w+, )*\w+): ", function.doc, flags=re.MULTILINE)
    missing = set(parameters) - {name for names in described for name in names.split(", ")}
    assert not missing, f"{function} does not describe {sorted(missing)}"


@functions_named
def test_signature_is_typed_with_shapes_and_held(function: Component) -> None:
    signature = inspect.signature(function.value)
    untyped = [
        one.name
        for one in signature.parameters.values()
        if one.annotation is one.empty and one.name not in {"self", "cls"}
    ]
    assert not untyped, f"{function} leaves {untyped} without a type"
    written = [one.annotation for one in signature.parameters.values()] + [signature.return_annotation]
    assert signature.return_annotation is not inspect.Signature.empty, f"{function} has no type of its result"
    bare = [str(annotation) for annotation in written if _bare(annotation)]
    assert not bare, f"{function}: {bare} without a shape"
    assert getattr(function.value, "__checked__", False), f"{function} is not decorated with @checked"


def _bare(annotation: object) -> bool:
    """Whether a tensor or array stands in an annotation, however deep, without jaxtyping's shape around it."""
    if isinstance(annotation, list):  # the arguments of a Callable
        return any(map(_bare, annotation))
    if get_origin(annotation) is Literal:
        return False
    return annotation in ARRAYS or get_origin(annotation) in ARRAYS or any(map(_bare, get_args(annotation)))


@pytest.mark.parametrize("one", classes(), ids=str)
def test_class_says_its_source_and_shows_an_example(one: Component) -> None:
    assert "Source" in sections(one), f"{one} lacks a Source"
    assert ">>> " in one.doc, f"{one} has no doctest"


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(FILES[0].parent)))
def test_file_is_short_and_opens_with_what_it_covers(file: Path) -> None:
    text = file.read_text()
    assert text.startswith('"""'), "no header"
    assert len(text.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(FILES[0].parent)))
def test_new_tensors_say_their_device(file: Path) -> None:
    """A tensor made without a device lands on the CPU, whatever the inputs are on."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func) in {f"torch.{name}" for name in FACTORIES}]
    silent = [ast.unparse(call) for call in made if "device" not in {keyword.arg for keyword in call.keywords}]
    assert not silent, f"without device=: {silent}"


@checked
def complete(values: Float64[np.ndarray, " n"], k: int) -> float:  # noqa: F722 shapes, not forward references
    """Do nothing.

    Source: none.

    Args:
        values: any.
        k: any.
    Raises:
        TypeError: a wrong type or shape.

    Cost: O(1).

    >>> complete(np.ones(1), 1)
    0.0
    """
    return 0.0


LACKS = [  # what is taken from the docstring, and the rule that must notice
    ("Source: none.", test_docstring_says_source_errors_cost_and_shows_an_example),
    ("Raises:", test_docstring_says_source_errors_cost_and_shows_an_example),
    ("Cost: O(1).", test_docstring_says_source_errors_cost_and_shows_an_example),
    (">>> ", test_docstring_says_source_errors_cost_and_shows_an_example),
    ("k: any.", test_docstring_describes_every_parameter),
]
RULES = {rule for _, rule in LACKS} | {test_signature_is_typed_with_shapes_and_held}


@pytest.mark.parametrize("rule", RULES)
def test_what_is_complete_passes(rule) -> None:
    rule(Component("here", "complete", complete))


@pytest.mark.parametrize(("part", "rule"), LACKS)
def test_what_is_missing_is_noticed(part, rule) -> None:
    @wraps(complete)
    def incomplete(*args: object) -> object:
        raise NotImplementedError

    incomplete.__doc__ = str(complete.__doc__).replace(part, "")
    with pytest.raises(AssertionError, match=r"here\.incomplete"):
        rule(Component("here", "incomplete", incomplete))


def test_a_shape_that_is_missing_is_noticed() -> None:
    def bare(values: np.ndarray) -> Float64[torch.Tensor, " n"]:  # noqa: F722
        raise NotImplementedError

    def untyped(values) -> float:
        raise NotImplementedError

    def held(values: float) -> torch.Tensor | None:
        raise NotImplementedError

    def deep(values: dict[str, list[np.ndarray]]) -> Callable[[torch.Tensor], float]:
        raise NotImplementedError

    wrong = {bare: "without a shape", untyped: "without a type", held: "without a shape", deep: "without a shape"}
    for function, message in wrong.items():
        with pytest.raises(AssertionError, match=message):
            test_signature_is_typed_with_shapes_and_held(Component("here", "it", function))
    with pytest.raises(AssertionError, match="not decorated with @checked"):
        test_signature_is_typed_with_shapes_and_held(Component("here", "it", complete.__wrapped__))
