"""Holds the assignment's import policy at run time, inside the kernel: what no static reading of a notebook can see.

Covered: forbidden modules, however the import is written (alias, `importlib`, `__import__`, `exec`, a computed name);
forbidden functions, classes and namespaces of a library, replaced as soon as the library is imported, under every name
that its own modules give them; the operators of torch behind them (`operators`).
Not covered: a vendored copy; other libraries' functions reached through C types; modules that the kernel itself has
loaded, fetched from `sys.modules`; code that undoes the guard in its own process. Against those stand the static
policy and a sandbox in which forbidden packages are not installed.
"""

import builtins
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType, ModuleType
from typing import Any, Protocol

from . import operators
from .protocol import VIOLATIONS

OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")  # noqa: PTH100, PTH118, PTH120
LIBRARY = tuple(
    os.path.join(path, "")  # noqa: PTH118  (prefixes of file names as frames give them)
    for path in {
        OWN,
        *(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *sys.path,
    }
    if path
)
FROZEN = "<frozen "  # file names of modules that are compiled into Python
CELL = "<cell-"  # file names of cells, see protocol.cell_name

AfterImport = Mapping[str, Callable[[ModuleType], None]]


class Writable(Protocol):
    """A stream."""

    def write(self, text: str, /) -> int: ...


class PolicyViolation(BaseException):
    """A rule of the assignment was broken. Not an Exception: `except Exception` does not hide it."""


_violations: list[dict[str, Any]] = []
_told_later: dict[str, Sequence[tuple[Writable, str]]] = {}  # by module, see tell_later


def take_violations() -> list[dict[str, Any]]:
    """The rules broken since the last time, as plain data: name, file and line of each."""
    taken = _violations[:]
    _violations.clear()
    return taken


def tell_later(module: str, said: Sequence[tuple[Writable, str]]) -> None:
    """Write what `module` printed while it was loaded ahead, once the notebook imports it: then it would have."""
    if said:
        _told_later[module] = said


def install(forbidden: Iterable[str], *, after_import: AfterImport) -> None:
    """Hold the policy from now on, and call each of `after_import` with its module once that is imported."""
    names = Names(forbidden)
    libraries = {name.partition(".")[0] for name in names.all if "." in name}

    def imported(module: ModuleType) -> None:
        if module.__name__ in libraries:
            _forbid_members(module, names.inside(module.__name__))
        if module.__name__ in after_import:
            after_import[module.__name__](module)

    sys.meta_path.insert(0, Finder(names, watched=libraries | set(after_import), imported=imported))
    _wrap_import(names)


class Names:
    """The forbidden names; asking costs little, for torch alone imports ten thousand."""

    def __init__(self, names: Iterable[str]) -> None:
        """Dotted names, of modules or of what is in them."""
        self.all = tuple(names)
        self._exact = frozenset(self.all)
        self._within = tuple(f"{name}." for name in self.all)

    def forbid(self, name: str) -> bool:
        """Whether `name` is one of them, or inside one."""
        return name in self._exact or name.startswith(self._within)

    def inside(self, library: str) -> list[str]:
        """Those that belong to `library`."""
        return [name for name in self.all if name.startswith(f"{library}.")]


def _violate(name: str) -> PolicyViolation:
    """Record that `name` was used, and where in the notebook; the exception to raise for it."""
    if len(_violations) < VIOLATIONS:
        file, line = _place()
        _violations.append({"name": name, "file": file, "line": line})
    return PolicyViolation(f"« {name} » est interdit dans ce devoir. / {name!r} is forbidden in this assignment.")


def _place() -> tuple[str, int]:
    """File and line of the innermost frame that is a cell's."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (the documented way to a frame)
    while frame is not None and not frame.f_code.co_filename.startswith(CELL):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else ("", 0)


def _asked_by_library() -> bool:
    """Whether installed code, not the student's, is what asks.

    The import machinery and code without a module of its own (`exec`) are passed over: who called them asks.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and (_is_machinery(frame) or not _is_modules_own(frame)):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith((*LIBRARY, FROZEN))


def _is_machinery(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((__file__, importlib.__file__, f"{FROZEN}importlib"))


def _is_modules_own(frame: FrameType) -> bool:
    module = sys.modules.get(dict.get(frame.f_globals, "__name__"))  # type: ignore[arg-type]  # may well be None
    return module is not None and vars(module) is frame.f_globals


# Modules ------------------------------------------------------------------------------------------------------------


class Finder(importlib.abc.MetaPathFinder):
    """Stands first: refuses forbidden modules and tells when watched ones have been imported."""

    def __init__(self, forbidden: Names, *, watched: set[str], imported: Callable[[ModuleType], None]) -> None:
        self.forbidden = forbidden
        self.watched = watched
        self.imported = imported

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if self.forbidden.forbid(fullname):
            self.refuse(fullname)
        if fullname not in self.watched:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Announcing(spec.loader, self.imported)
        return spec

    def refuse(self, name: str) -> None:
        """Forbidden to students; to libraries that merely look whether it is there, not installed."""
        if not _asked_by_library():
            raise _violate(name)
        if "." not in name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class Announcing(importlib.abc.Loader):
    """A loader that says when its module is there."""

    def __init__(self, loader: Any, imported: Callable[[ModuleType], None]) -> None:
        self.loader = loader
        self.imported = imported

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.imported(module)


def _wrap_import(forbidden: Names) -> None:
    """Refuse to students what is loaded already, which the import system hands out without asking a finder."""
    real_import, real_import_module = builtins.__import__, importlib.import_module
    real_find_spec = importlib.util.find_spec

    def check(name: str) -> None:
        if forbidden.forbid(name) and not _asked_by_library():
            raise _violate(name)
        for stream, text in _told_later.pop(name.partition(".")[0], ()):
            stream.write(text)

    def guarded_import(name: str, *args: Any, **kwargs: Any) -> Any:
        check(name)
        module = real_import(name, *args, **kwargs)
        for member in _from_list(args, kwargs):
            check(f"{name}.{member}")
        return module

    def guarded_import_module(name: str, package: str | None = None) -> ModuleType:
        check(name)
        return real_import_module(name, package)

    def guarded_find_spec(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        try:
            return real_find_spec(name, package)
        except ModuleNotFoundError as error:
            if error.name == name and forbidden.forbid(name):  # as `Finder.refuse` says it: here it is no error
                return None
            raise

    builtins.__import__ = guarded_import
    importlib.import_module = guarded_import_module
    importlib.util.find_spec = guarded_find_spec


def _from_list(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[str]:
    names = kwargs.get("fromlist") or (args[2] if len(args) > 2 else ())  # the third argument of __import__
    return [name for name in names or () if isinstance(name, str)]


# Members of a library -----------------------------------------------------------------------------------------------


class Forbidden:
    """Stands for a forbidden function or namespace: using it breaks the rule, whoever passes it around."""

    def __init__(self, name: str, real: object) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "__name__", name.rpartition(".")[2])

    def __call__(self, *_: object, **__: object) -> Any:
        raise _violate(object.__getattribute__(self, "_name"))

    def __getattr__(self, attribute: str) -> Any:
        if _asked_by_library():
            return getattr(object.__getattribute__(self, "_real"), attribute)
        raise _violate(f"{object.__getattribute__(self, '_name')}.{attribute}")


def _forbid_members(module: ModuleType, names: Sequence[str]) -> None:
    """Put something that refuses in the place of each of `names`, and of the same object under other names."""
    if module.__name__ == "torch":
        operators.compile_ahead(module, names)
    replacements: dict[int, Forbidden] = {}
    for name in names:
        owner, attribute, real = _resolve(module, name)
        if real is None or isinstance(real, Forbidden):
            continue
        if isinstance(real, type):
            _forbid_class(real, name)
            continue
        replacements[id(real)] = Forbidden(name, real)
        setattr(owner, attribute, replacements[id(real)])
    _replace_aliases(module.__name__, replacements)
    if module.__name__ == "torch":
        operators.forbid(module, names, _refuser)


def _refuser(name: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise _violate(name)

    return refuse


def _resolve(module: ModuleType, name: str) -> tuple[Any, str, Any]:
    """The owner of dotted `name`, its last part, and what it is; None where there is no such thing."""
    owner: Any = module
    *path, attribute = name.split(".")[1:]
    for part in path:
        owner = getattr(owner, part, None)
    return owner, attribute, getattr(owner, attribute, None)


def _forbid_class(kind: type, name: str) -> None:
    """A class stays a class, for `isinstance` and subclasses in the library, but makes no objects."""

    for method in ("__init__", "forward", "__call__"):
        if hasattr(kind, method):
            setattr(kind, method, _refuser(name))


def _replace_aliases(library: str, replacements: Mapping[int, Forbidden]) -> None:
    for name, module in list(sys.modules.items()):
        if name == library or name.startswith(f"{library}."):
            for attribute, value in list(vars(module).items()):
                if id(value) in replacements:
                    setattr(module, attribute, replacements[id(value)])
