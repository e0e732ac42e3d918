"""The part of the host's file system that a program may see: a list of what is allowed, never of what is not.

The base Python, the system's programs and libraries, single distributions, and a GPU's devices when one is asked for.
Not covered: the folders of the sandbox's own (work, /tmp, /proc, /dev), which `bubblewrap` adds.
"""

import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import SandboxUnavailable
from harness.sandbox.packages import closure

PACKAGES = PurePosixPath("/packages")  # inside: one folder with the distributions that may be imported
SYSTEM = (
    *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec"),
    *("/usr/share/fonts", "/usr/share/fontconfig", "/usr/share/locale", "/usr/share/terminfo", "/usr/share/zoneinfo"),
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime"),
    "/sys/devices/system/cpu",  # torch and OpenMP read there how many processors there are
)
SITE_FOLDERS = ("site-packages", "dist-packages")
GPU = (
    *("/usr/local/nvidia", "/usr/local/cuda/compat", "/sys/bus/pci", "/sys/devices/pci0000:00"),
    *("/sys/module/nvidia", "/sys/module/nvidia_uvm"),
)


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the host, and where it is seen inside."""

    source: Path
    inside: PurePosixPath


@dataclass(frozen=True, slots=True)
class View:
    """What a program sees of the host, read-only."""

    python: str  # the interpreter, inside
    binds: tuple[Bind, ...]  # parents before children
    links: tuple[tuple[str, str], ...]  # (target, inside)
    covers: tuple[PurePosixPath, ...]  # folders inside that are made empty

    def visible(self, path: Path) -> bool:
        """Whether `path` of the host, or something under it, can be read inside."""
        path = path.resolve()
        return any(
            path.is_relative_to(source) and not self._covered(bind.inside / path.relative_to(source))
            for bind in self.binds
            for source in (bind.source.resolve(),)
        )

    def _covered(self, inside: PurePosixPath) -> bool:
        return any(inside.is_relative_to(cover) for cover in self.covers)


def python_path() -> Path:
    """The base interpreter, below any virtual environment."""
    named = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return named if named.exists() else Path(sys.executable).resolve()


def host_view(packages: Sequence[str], *, secrets: Iterable[Path], device: str = "cpu") -> View:
    """The view for a program that imports `packages`.

    Raises:
        SandboxUnavailable: a path of `secrets` could be read through it.
    """
    binds = [_same(path) for path in map(Path, SYSTEM) if path.exists() and not path.is_symlink()]
    links = [(str(path.readlink()), str(path)) for path in map(Path, SYSTEM) if path.is_symlink() and path.is_dir()]
    binds += [
        Bind(path.resolve(), PurePosixPath(path)) for path in map(Path, SYSTEM) if path.is_symlink() and path.is_file()
    ]
    binds += [_same(path) for path in _python_files() if not _under(path, binds)]
    binds += [Bind(source, PACKAGES / name) for source, name in closure(packages).entries]
    if device == "cuda":
        binds += [_same(path) for path in map(Path, GPU) if path.exists()]
    covers = {cover for bind in binds if not bind.inside.is_relative_to(PACKAGES) for cover in _site_folders(bind)}
    view = View(
        python=str(python_path()),
        binds=tuple(sorted(binds, key=lambda bind: bind.inside)),
        links=tuple(links),
        covers=tuple(sorted(covers)),
    )
    for secret in secrets:
        if view.visible(secret):
            raise SandboxUnavailable(
                f"{secret} would be visible to student code", remedy="Move it out of the folders of Python."
            )
    return view


def gpu_devices() -> tuple[Path, ...]:
    """The device files of NVIDIA's driver on this machine."""
    return tuple(sorted(Path("/dev").glob("nvidia*")))


def _python_files() -> Iterable[Path]:
    """The interpreter, its standard library and the shared libraries beside it."""
    base = {"base": sys.base_prefix, "installed_base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    yield python_path()
    yield from {
        Path(sysconfig.get_path(key, vars={**base, "installed_platbase": sys.base_exec_prefix}))
        for key in ("stdlib", "platstdlib")
    }
    if Path(sys.base_prefix) != Path("/usr"):
        yield from sorted(Path(sys.base_prefix, "lib").glob("lib*.so*"))


def _same(path: Path) -> Bind:
    return Bind(path, PurePosixPath(path))


def _under(path: Path, binds: Iterable[Bind]) -> bool:
    return any(path.is_relative_to(bind.inside) for bind in binds)


def _site_folders(bind: Bind) -> Iterable[PurePosixPath]:
    """Folders of installed packages inside a folder that is shown: what lies there was not asked for."""
    for folder in (bind.source, *bind.source.glob("python*")):
        for name in SITE_FOLDERS:
            if (folder / name).is_dir():
                yield bind.inside / (folder / name).relative_to(bind.source)
