"""Which files make up the distributions that a program may import: the closure of what they require.

Single distributions rather than a whole site-packages folder: beside them lie the checks and the oracle.
Not covered: editable installs and distributions without a RECORD; they count as missing.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement  # evaluates markers and extras as pip does
from packaging.utils import canonicalize_name


@dataclass(frozen=True, slots=True)
class Closure:
    """Distributions with all that they require."""

    entries: tuple[tuple[Path, str], ...]  # a file or folder on the host, its name in the folder of packages
    missing: tuple[str, ...]  # asked for, but not installed here


def closure(names: Sequence[str]) -> Closure:
    """What must be visible so that `names` can be imported; read once a process, since torch lists 15,000 files."""
    return _closure(tuple(sorted({canonicalize_name(name) for name in names})))


@cache
def _closure(names: tuple[str, ...]) -> Closure:
    entries: dict[str, Path] = {}
    missing = []
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in names]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        found = _installed(name)
        if found is None:
            if name in names:
                missing.append(name)
            continue
        for entry in _top_level(found):
            entries[entry] = Path(str(found.locate_file(entry)))
        fresh = set(_requirements(found, extras)) - seen
        seen |= fresh
        waiting.extend(fresh)
    return Closure(tuple((source, name) for name, source in sorted(entries.items())), tuple(sorted(missing)))


def _installed(name: str) -> Distribution | None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return found if found.read_text("RECORD") else None


def _requirements(found: Distribution, extras: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in found.requires or ():
        requirement = Requirement(line)
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def _top_level(found: Distribution) -> set[str]:
    """First parts of the recorded paths; of a shared __pycache__ the single files."""
    names = set()
    for row in csv.reader((found.read_text("RECORD") or "").splitlines()):
        parts = PurePosixPath(row[0]).parts
        if not parts or parts[0] in {"..", "/"} or parts[0].endswith(".pth"):
            continue  # scripts and shared data live elsewhere; a .pth would run code at start
        names.add("/".join(parts[:2]) if parts[0] == "__pycache__" else parts[0])
    return {name for name in names if Path(str(found.locate_file(name))).exists()}
