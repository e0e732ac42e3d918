"""Where operators are kept: their names, which stand in ids for good, and what they are called on a page."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.audit.code import Code, Edit
from harness.records import Text

Finder = Callable[[Code, ast.AST], Iterator[Edit]]


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of fault."""

    name: str  # stands in the ids of mutants
    title: Text
    edits: Finder  # the faults of this kind that one node can have


OPERATORS: dict[str, Operator] = {}


def operator(name: str, *, fr: str, en: str) -> Callable[[Finder], Finder]:
    """Register a function as the operator `name`, titled in both languages."""

    def register(finder: Finder) -> Finder:
        if name in OPERATORS:
            raise ValueError(f"there are two operators called {name!r}")
        OPERATORS[name] = Operator(name, Text(fr, en), finder)
        return finder

    return register
