"""Which modules a notebook may import: the standard library, what the assignment allows, and what a kernel needs.

Read from the metadata of what is installed here, the same that the sandbox shows. Nothing is imported.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution

KERNEL = ("ipykernel",)  # always importable in a notebook, with IPython and what both require
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


@cache
def importable(packages: tuple[str, ...]) -> frozenset[str]:
    """Top-level modules of the standard library, of `packages` and of everything they require."""
    modules = {module for found in _closure((*packages, *KERNEL)) for module in _modules(found)}
    named_alike = {package.replace("-", "_") for package in packages}  # allowed, not installed here
    return frozenset(modules | named_alike | sys.stdlib_module_names)


def _closure(packages: Iterable[str]) -> Iterator[Distribution]:
    """What is installed of `packages` and of all that they require."""
    seen: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = _canonical(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        yield found
        waiting += _required(found)


def _required(found: Distribution) -> list[str]:
    """Names that it requires outside its extras; a marker for another platform names nothing installed."""
    lines = found.requires or []
    return [name[0] for line in lines if "extra ==" not in line and (name := REQUIREMENT.match(line))]


def _modules(found: Distribution) -> set[str]:
    """Its top-level modules: declared, or else the first parts of the recorded paths."""
    declared = (found.read_text("top_level.txt") or "").split()
    if declared:
        return set(declared)
    return {name for path in found.files or () if (name := _module(path.parts))}


def _module(parts: tuple[str, ...]) -> str | None:
    name = parts[0] if len(parts) > 1 else inspect.getmodulename(parts[0])
    return name if name and name.isidentifier() and name != "__pycache__" else None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
