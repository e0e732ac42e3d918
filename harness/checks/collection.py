"""Read checks.py and find what it declares; everything that an instructor can get wrong is said here, with the line.

Not covered: running the checks (`session`, `plugin`).
"""

import ast
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from types import CodeType, ModuleType

import pytest

from harness.checks.declare import PREFIX, spec_of
from harness.checks.measuring import METRICS
from harness.errors import ConfigurationError
from harness.records import CheckSpec, Visibility

MODULE = "bareme_checks"  # the name that checks.py has while it runs: its own, so that nothing imported is shadowed
SEEN_BY = {  # what a check of each visibility may build on: never on one that its readers cannot see
    Visibility.PUBLIC: {Visibility.PUBLIC},
    Visibility.AFTER_DUE: {Visibility.PUBLIC, Visibility.AFTER_DUE},
    Visibility.HIDDEN: set(Visibility),
}


def fixtures_of(item: pytest.Item) -> Sequence[str]:
    """The names of all fixtures that a test asks for, by itself or through another."""
    return getattr(item, "fixturenames", ())


@contextmanager
def loaded(path: Path) -> Iterator[ModuleType]:
    """checks.py as a fresh module that is forgotten afterwards: nothing stays from one submission to the next.

    Raises:
        ConfigurationError: it cannot be read, is not Python, defines a check twice, or raises.
    """
    try:
        code = _compiled(path.read_bytes(), path)
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", remedy="Correct the file.") from error
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # dataclasses and typing look their module up
    try:
        try:
            exec(code, module.__dict__)  # noqa: S102  # the instructor's own file, as pytest would run it
        except Exception as error:
            line = next((f.lineno for f in extract_tb(error.__traceback__)[::-1] if f.filename == str(path)), None)
            problem = f"{path}, line {line}: {type(error).__name__}: {error}"
            raise ConfigurationError(problem, remedy="Correct the file.") from error
        yield module
    finally:
        sys.modules.pop(MODULE, None)


@lru_cache(maxsize=8)
def _compiled(source: bytes, path: Path) -> CodeType:
    """The code of checks.py, once a process: it is run anew for each submission, but need not be compiled for each."""
    tree = ast.parse(source, str(path))
    _refuse_twins(tree, path)
    return compile(tree, str(path), "exec")


def specs_of(items: Sequence[pytest.Item], path: Path) -> dict[str, CheckSpec]:
    """What the collected tests declare, by id, in the order of the file.

    Raises:
        ConfigurationError: a test is no check, or a prerequisite cannot be one.
    """
    specs: dict[str, CheckSpec] = {}
    for item in items:
        spec = spec_of(item)
        if spec is None:
            problem = f"{path}: {item.name} is a test without points or title"
            raise ConfigurationError(problem, remedy='Put @check(points=..., fr="...", en="...") above it.')
        if spec.id not in specs:  # the second and further sets of parameters declare nothing new
            _refuse_bad_needs(spec, specs, path)
        specs[spec.id] = replace(spec, measures=tuple(kind for kind in METRICS if kind in fixtures_of(item)))
    if not specs:
        raise ConfigurationError(f"{path} declares no check", remedy=f"Write a function {PREFIX}... with @check.")
    return specs


def verify(specs: Sequence[CheckSpec], *, points: float, path: Path) -> None:
    """Raise ConfigurationError unless the points of `specs`, declared in `path`, add up to `points`."""
    total = math.fsum(spec.points for spec in specs)
    if not math.isclose(total, points):
        raise ConfigurationError(
            f"{path}: the checks add up to {total:g} points, assignment.toml says {points:g}",
            remedy="Make both the same.",
        )


def _refuse_twins(tree: ast.Module, path: Path) -> None:
    seen: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith(PREFIX):
            if node.name in seen:
                problem = f"{path}: {node.name} is defined twice, in lines {seen[node.name]} and {node.lineno}"
                raise ConfigurationError(problem, remedy="Rename one: the second would replace the first.")
            seen[node.name] = node.lineno


def _refuse_bad_needs(spec: CheckSpec, above: dict[str, CheckSpec], path: Path) -> None:
    """Prerequisites stand further up in the file: there can be no cycle, and the file reads in the order it runs."""
    for need in spec.needs:
        if need not in above:
            problem = f"{path}: {PREFIX}{spec.id} needs {need!r}, which is no check above it"
            raise ConfigurationError(problem, remedy=f"Known there: {', '.join(above) or 'none'}.")
        if above[need].visibility not in SEEN_BY[spec.visibility]:
            problem = f"{path}: {PREFIX}{spec.id} is {spec.visibility} but needs {need!r}, which is not"
            raise ConfigurationError(problem, remedy="Let it need checks only that its readers can see.")
