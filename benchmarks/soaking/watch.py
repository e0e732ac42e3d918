"""What a run looks like from outside, moment by moment: its processes, descriptors, namespaces, mounts, memory.

Everything is read from /proc; nothing is asked of the run. Not covered: what should be the case (`judge`).
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

WORKERS = "multiprocessing.forkserver"  # on the command line of the process that workers are forked from
FORK_SERVER = "/warm/server.py"  # on that of a fork server, and of all that it forks
OURS = ("main", "worker", "fork server")  # the processes whose memory must stay the same
MIB = 2**20


@dataclass(frozen=True)
class Held:
    """What one process, or the mean of several of the same role, holds."""

    descriptors: float
    anonymous_mib: float  # resident and of no file
    pss_mib: float  # with each shared page divided among those that share it; 0 where it may not be read


@dataclass(frozen=True)
class Sample:
    """One moment of a run."""

    at_s: float  # since it began
    done: int  # submissions
    processes: int
    descriptors: int
    sockets: int
    namespaces: int  # of the run's own processes
    machine_namespaces: int  # of all processes there are
    mounts: int  # of this machine, outside of any sandbox
    held: dict[str, Held]  # by role


def sample(root: psutil.Process, at_s: float, done: int) -> tuple[Sample, set[tuple[int, float]]]:
    """The tree under `root` now, and (number, start) of its processes."""
    tree = [root, *root.children(recursive=True)]
    links = [link for process in tree for link in _links(process.pid)]
    seen = set()
    for process in tree:
        with suppress(psutil.Error):
            seen.add((process.pid, process.create_time()))
    found = Sample(
        at_s=at_s,
        done=done,
        processes=len(tree),
        descriptors=len(links),
        sockets=sum(link.startswith("socket:") for link in links),
        namespaces=len(namespaces(process.pid for process in tree)),
        machine_namespaces=len(namespaces(psutil.pids())),
        mounts=mounts(),
        held=_held(tree),
    )
    return found, seen


def namespaces(pids: Iterator[int] | list[int]) -> set[str]:
    """Every namespace that one of these processes is in."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            found |= {str(path.readlink()) for path in Path(f"/proc/{pid}/ns").iterdir()}
    return found


def mounts() -> int:
    return Path("/proc/self/mountinfo").read_bytes().count(b"\n")


def sockets_named(folder: Path) -> list[str]:
    """Unix sockets of this machine whose name lies, or lay, in `folder`."""
    lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.split()[-1] for line in lines if str(folder) in line]


def _held(tree: list[psutil.Process]) -> dict[str, Held]:
    by_role = defaultdict(list)
    for process in tree:
        with suppress(psutil.Error, OSError):
            role, held = _role(process, tree[0]), _of(process.pid)  # or it has ended meanwhile
            if role is not None:
                by_role[role].append(held)
    return {
        role: Held(*(sum(values) / len(helds) for values in zip(*helds, strict=True)))
        for role, helds in by_role.items()
    }


def _role(process: psutil.Process, root: psutil.Process) -> str | None:
    if process == root:
        return "main"
    line, above = process.cmdline(), _above(process)
    if WORKERS in " ".join(line):
        return "worker" if WORKERS in " ".join(above) else None  # else it is the process that they are forked from
    return "fork server" if _is_fork_server(line) and not _is_fork_server(above) else None


def _above(process: psutil.Process) -> list[str]:
    parent = process.parent()
    return parent.cmdline() if parent else []


def _is_fork_server(line: list[str]) -> bool:
    """Whether this is its command line, or of what it has forked. Those of bubblewrap around it name it too."""
    return "python" in line[0] and any(word.endswith(FORK_SERVER) for word in line) if line else False


def _of(pid: int) -> tuple[int, float, float]:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except PermissionError:
        rollup = ""
    return len(list(_links(pid))), _mib(status, "RssAnon:"), _mib(rollup, "Pss:")


def _links(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for path in list(Path(f"/proc/{pid}/fd").iterdir()):
            with suppress(OSError):
                yield str(path.readlink())


def _mib(text: str, name: str) -> float:
    line = next((line for line in text.splitlines() if line.startswith(name)), "0 0")
    return int(line.split()[1]) * 1024 / MIB
