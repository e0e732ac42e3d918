"""What holds a process and all that it forks: limits, rights, processors, namespaces, control groups.

What a host forks for a command is held by what holds the host. Where that is not what holds the command, the command
would escape its own limits, or meet those of another: then it does without the host (`alike`, a pure rule). The host
asks: what a command says of itself need not be believed. Checks are not asked: they are for the user's own eyes.
Not covered: the share of the disk (`ionice`) and of the processor (weights of groups) that a process gets.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.runners import room

# Lines of /proc/PID/status that a child inherits
INHERITED = (
    "Uid:",
    "Gid:",
    "Groups:",
    "Cap",
    "NoNewPrivs:",
    "Seccomp",
    "Cpus_allowed:",
    "Mems_allowed:",
)
# Fields of /proc/PID/stat after the name, see proc(5): niceness, real-time priority, scheduling policy
SCHEDULING = (16, 37, 38)
# Files of a control group that limit it, version 2 then 1, and what they begin with where they do not
UNLIMITED = {
    "memory.max": "max",
    "memory.high": "max",
    "memory.swap.max": "max",
    "pids.max": "max",
    "cpu.max": "max",
    "io.max": "",
    "memory.limit_in_bytes": "",
    "memory.memsw.limit_in_bytes": "",
    "cpu.cfs_quota_us": "-1",
}
UNLIMITED_BYTES = 2**62  # version 1 has no word for it, only a number that no machine reaches
# systemd gives every terminal and every service the same number of processes: one that is equal is as good as shared
COUNTED = "pids.max"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds one process."""

    own: tuple[str, ...]  # that a child inherits, as Linux words it
    groups: Mapping[Path, Mapping[str, str]]  # limits of each control group around it; groups without any left out


def alike(one: Bounds, other: Bounds) -> bool:
    """Whether what either forks is held by the same."""
    left, right = (_alone(*pair) for pair in ((one, other), (other, one)))
    return one.own == other.own and left == right and all(name == COUNTED for name, _ in left)


def of(process: int, root: Path = Path("/")) -> Bounds:
    """What holds `process`, which is the user's own; `root` is where /proc and /sys lie.

    Raises:
        OSError: it has ended, or has rights that this process has not.
    """
    folder = root / "proc" / str(process)
    groups = {group: limits for _, group in room.groups(root, str(process)) if (limits := dict(_limits(group)))}
    return Bounds(tuple(_own(folder)), groups)


def _alone(one: Bounds, other: Bounds) -> list[tuple[str, str]]:
    """Limits of groups around the one alone."""
    return sorted(
        limit for group, limits in one.groups.items() if group not in other.groups for limit in limits.items()
    )


def _own(folder: Path) -> Iterator[str]:
    yield from (line for line in _read(folder / "status").splitlines() if line.startswith(INHERITED))
    scheduling = _read(folder / "stat").rpartition(")")[2].split()
    yield from (scheduling[place] for place in SCHEDULING)
    yield from (_read(folder / name) for name in ("limits", "oom_score_adj"))
    with suppress(OSError):  # a system without such profiles
        yield _read(folder / "attr/current")
    yield from sorted(str(link.readlink()) for link in (folder / "ns").iterdir())
    root = (folder / "root").stat()
    yield f"{root.st_dev} {root.st_ino}"


def _limits(group: Path) -> Iterator[tuple[str, str]]:
    for name, unlimited in UNLIMITED.items():
        value = _read(group / name) if (group / name).is_file() else ""
        endless = value.isdecimal() and int(value) >= UNLIMITED_BYTES
        if value and not endless and not (unlimited and value.startswith(unlimited)):
            yield name, value


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()
