"""Which modules a notebook may import: the standard library, what the assignment allows, and what a kernel needs.

Read from the metadata of what is installed here, the same that the sandbox shows. Nothing is imported.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

KERNEL = ("ipykernel",)  # always importable in a notebook, with IPython and what both require
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


@cache
def importable(packages: tuple[str, ...]) -> frozenset[str]:
    """Top-level modules of the standard library, of `packages` and of everything they require."""
    allowed = _closure((*packages, *KERNEL))
    modules = {module for module, names in _providers().items() if any(_canonical(name) in allowed for name in names)}
    named_alike = {package.replace("-", "_") for package in packages}  # allowed, not installed here
    return frozenset(modules | named_alike | sys.stdlib_module_names)


@cache
def _providers() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


def _closure(packages: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = _canonical(waiting.pop())
        if name not in found:
            found.add(name)
            waiting += _required(name)
    return frozenset(found)


def _required(package: str) -> list[str]:
    """Names that `package` requires outside its extras; a marker for another platform names nothing installed."""
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return []
    return [found[0] for line in lines if "extra ==" not in line and (found := REQUIREMENT.match(line))]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
