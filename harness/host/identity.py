"""What a host is made of: a fingerprint that changes with every file, tool and setting that it keeps in memory.

A host keeps installed code and nothing of a course: assignment.toml, checks.py, an oracle beside them and data are read
anew for every check. So it is the installed code that must not change behind its back.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

OURS = (
    "harness",
    "reference",
    "reports",
    "assignments",
)  # packages whose every module counts, wherever they were installed from
TOOLS = ("bwrap", "setpriv", "nvidia-smi")  # programs of the system that a check starts
# Variables that Python and libraries read once, when they start
READ_ONCE = (
    "PYTHON",
    "LD_",
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "KMP_",
    "GOMP_",
    "TORCH",
    "PYTORCH_",
    "CUDA",
    "NVIDIA_",
    "HF_",
)
PROGRAMS = {"__main__", "__mp_main__"}  # what commands and their workers are started as
INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth")  # names that tell distributions, and so their versions


def identity() -> str:
    """The fingerprint of this environment; two that are equal would start the same host."""
    digest = hashlib.sha256()
    for part in _parts(os.environ):
        digest.update(repr(part).encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def installed(names: Iterable[str]) -> list[str]:
    """Those of `names`, all imported here, of Python, of an installed package or of bareme; never the program."""
    roots = tuple(f"{root}{os.sep}" for root in (*_folders_of_ours(), *_site_folders(), Path(os.__file__).parent))
    return [name for name in names if name not in PROGRAMS and str(_origin(name)).startswith(roots)]


def _origin(name: str) -> object:
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None)


def _parts(environment: Mapping[str, str]) -> Iterator[object]:
    yield sys.version, sys.prefix, os.geteuid(), _state(Path(sys.executable).resolve())
    yield sorted((name, value) for name, value in environment.items() if name.startswith(READ_ONCE))
    for name in TOOLS:
        path = shutil.which(name)
        yield name, path, None if path is None else _state(Path(path))
    for folder in _folders_of_ours():
        yield from sorted(map(_state, folder.rglob("*.py")))
    for folder in _site_folders():
        yield from sorted(_state(Path(entry.path)) for entry in os.scandir(folder) if entry.name.endswith(INSTALLED))


def _state(path: Path) -> tuple[str, int, int]:
    facts = path.stat()
    return str(path), facts.st_mtime_ns, facts.st_size


def _folders_of_ours() -> list[Path]:
    """Where the packages of `OURS` lie; they are looked up, not imported."""
    specs = [find_spec(name) for name in OURS]
    return [Path(folder) for spec in specs if spec for folder in spec.submodule_search_locations or ()]


def _site_folders() -> list[Path]:
    return [path for path in map(Path, sys.path) if path.name in {"site-packages", "dist-packages"} and path.is_dir()]
