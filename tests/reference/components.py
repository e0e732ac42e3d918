"""What the oracle offers: every function and class that a package or module of `reference` names in its `__all__`."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from types import ModuleType

import reference


@dataclass(frozen=True)
class Component:
    """A public function, class, or method of a public class."""

    package: str
    name: str  # as in "softmax" or "GPT2.forward"
    value: Callable[..., object]

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.value) or ""

    def __str__(self) -> str:
        return f"{self.package}.{self.name}"


def packages() -> list[ModuleType]:
    """`reference.attention`, `reference.ngram`, … in alphabetical order; a module that must be asked for, too."""
    found = [import_module(one.name) for one in pkgutil.walk_packages(reference.__path__, "reference.")]
    return sorted((module for module in found if hasattr(module, "__all__")), key=lambda module: module.__name__)


def functions() -> list[Component]:
    """Public functions, and the methods that public classes define themselves (properties are not methods)."""
    found = []
    for component in offered():
        found += methods(component) if isinstance(component.value, type) else [component]
    return found


def classes() -> list[Component]:
    """Public classes, enumerations excepted."""
    return [one for one in offered() if isinstance(one.value, type) and not issubclass(one.value, Enum)]


def offered() -> Iterator[Component]:
    for package in packages():
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isfunction(value) or isinstance(value, type):
                yield Component(package.__name__, name, value)


def methods(owner: Component) -> list[Component]:
    """Public methods written in the class itself, `forward` and `__call__` included."""
    found = []
    for name, raw in vars(owner.value).items():
        value = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
        if inspect.isfunction(value) and (not name.startswith("_") or name == "__call__"):
            found.append(Component(owner.package, f"{owner.name}.{name}", value))
    return found
