"""The files beside a notebook: which of them come along into its working folder, and why the rest does not.

Not covered: which files lie beside it (`find`), and the assignment's own data (the pipeline adds it).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.intake.files import MIB, Files
from harness.intake.names import fold
from harness.intake.texts import UnreadableNotebook, notice
from harness.records import Notice

FILES = 200
TOTAL_BYTES = 64 * MIB  # a course's own data sets are given by the assignment, not handed in
NAME_BYTES = 200  # of one component; file systems take 255
DEPTH = 8
# run or imported by Python, pytest or the kernel on their own
HOOKS = frozenset({"sitecustomize", "usercustomize", "conftest", "ipython_config", "ipython_kernel_config"})
CODE = frozenset({"py", "pyc", "so", "pyd"})


@dataclass(frozen=True, slots=True)
class Beside:
    """What comes along."""

    contents: dict[str, bytes]  # name in the working folder, with "/" -> content
    notices: tuple[Notice, ...]


def load(files: Files, folder: str, paths: Sequence[str], *, importable: Collection[str]) -> Beside:
    """Take the files `paths`, which lie below `folder`, into memory.

    Args:
        files: where they are.
        folder: the notebook's own folder, "" or ending in "/".
        paths: from the root of `files`.
        importable: top-level modules that no file may stand in for.
    Raises:
        InfrastructureError: the machine does not let us read one.
    """
    contents: dict[str, bytes] = {}
    notices: list[Notice] = []
    taken: dict[str, str] = {}  # folded name of each file and folder -> the name as it is
    room = TOTAL_BYTES
    names = [path.removeprefix(folder) for path in paths]
    for name in names[:FILES]:
        found = _problem(name, contents, taken, importable) or _content(files, folder + name, name, room=room)
        if isinstance(found, Notice):
            notices.append(found)
            continue
        contents[name] = found
        room -= len(found)
        taken |= {fold(part): part for part in _with_parents(name)}
    if len(names) > FILES:
        notices.append(notice("extra-too-many", count=len(names) - FILES, limit=FILES))
    return Beside(contents, tuple(notices))


def modules(contents: Collection[str]) -> frozenset[str]:
    """Top-level modules and folders that these files make importable."""
    return frozenset(name.partition("/")[0].partition(".")[0] for name in contents)


def _problem(name: str, contents: Collection[str], taken: dict[str, str], importable: Collection[str]) -> Notice | None:
    """Why the file may not come along, judged by its name."""
    if not _usable(name):
        return notice("extra-name", name=name)
    path, *parents = _with_parents(name)
    differs = any(taken.get(fold(part), part) != part for part in parents)
    if fold(path) in taken or differs or any(parent in contents for parent in parents):
        return notice("extra-collides", name=name)
    module = _module(name)
    if module in HOOKS or module.startswith("ipykernel") or module in importable:
        return notice("extra-shadows", name=name, module=module)
    return None


def _usable(name: str) -> bool:
    parts = name.split("/")
    return (
        name.isprintable()  # no control characters, no lone surrogates
        and "\\" not in name
        and len(parts) <= DEPTH
        and all(part not in {"", ".", ".."} and len(part.encode()) <= NAME_BYTES for part in parts)
    )


def _module(name: str) -> str:
    """The top-level module that the file is, or belongs to as a package; "" for data."""
    path = PurePosixPath(name)
    stem, _, suffixes = path.name.partition(".")
    if suffixes.rpartition(".")[2] not in CODE:
        return ""
    return stem if len(path.parts) == 1 else path.parts[0]


def _with_parents(name: str) -> list[str]:
    path = PurePosixPath(name)
    return [str(part) for part in (path, *path.parents) if str(part) != "."]


def _content(files: Files, path: str, name: str, *, room: int) -> bytes | Notice:
    try:
        return files.read(path, limit=room)
    except UnreadableNotebook as error:
        if error.code == "too-large":
            return notice("extra-too-large", name=name, limit=TOTAL_BYTES // MIB)
        return notice("extra-left-out", name=name, reason=error.problem_only)
