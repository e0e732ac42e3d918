"""How many submissions this machine's memory allows at a time: a pure rule, and the figures it is given.

Not covered: ending a submission that goes beyond its limit (`sandbox`), processors (`--jobs`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.quantities import plain
from harness.records import Text

# A worker's own: 33 MB that it does not share with those forked from the same process, what it remembers of the oracle
# (`checks.answers.MEMORY_BYTES`), one answer of a notebook received and decoded, and one of the oracle beside it
WORKER_BYTES = 256 * 2**20
UNIT_BYTES = 1024  # "kB" in /proc/meminfo


@dataclass(frozen=True, slots=True)
class Room:
    """How many tasks run at a time, and the figures behind it."""

    jobs: int
    wanted: int  # without regard to memory
    available_bytes: int
    task_bytes: int  # that one task and its worker may hold

    def remark(self) -> Text | None:
        """What to tell whoever asked for more; None when memory takes nothing away."""
        if self.jobs == self.wanted:
            return None
        each, left = (
            Text(plain(size, "B", "fr", digits=2), plain(size, "B", "en", digits=2))
            for size in (self.task_bytes, self.available_bytes)
        )
        return Text(
            f"Copies corrigées en même temps : {self.jobs} au lieu de {self.wanted}. Chacune peut occuper {each.fr} de "
            f"mémoire et il en reste {left.fr}. Pour aller plus vite, libérez-en ou abaissez `memory_bytes`.",
            f"Submissions marked side by side: {self.jobs} instead of {self.wanted}. Each may hold {each.en} of memory "
            f"and {left.en} are left. To go faster, free memory or lower `memory_bytes`.",
        )


def allotted(asked: int, tasks: int, *, available_bytes: int, task_bytes: int) -> Room:
    """How many of `tasks`, each of which may hold `task_bytes` beside its worker, run at a time; at least one.

    >>> allotted(8, 60, available_bytes=10 * 2**30, task_bytes=2**31).jobs
    4
    """
    wanted = max(1, min(asked, tasks))
    each = task_bytes + WORKER_BYTES
    return Room(max(1, min(wanted, available_bytes // each)), wanted, available_bytes, each)


def available_bytes(root: Path = Path("/")) -> int:
    """Memory that can still be had without swapping: of the machine, and of every control group around this process.

    `root` is where /proc and /sys lie.
    """
    return max(0, min([_of_the_machine(root / "proc/meminfo"), *_of_groups(root)]))


def _of_the_machine(meminfo: Path) -> int:
    fields = dict(line.split(":") for line in meminfo.read_text(encoding="ascii").splitlines())
    return int(fields["MemAvailable"].split()[0]) * UNIT_BYTES


def groups(root: Path, process: str = "self") -> Iterator[tuple[str, Path]]:
    """Every control group around a process, from its own to the topmost: a controller, "" for all, and the folder.

    Version 2 has one tree of groups for all controllers, version 1 one for each.
    """
    top = root / "sys/fs/cgroup"
    for line in (root / "proc" / process / "cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            group = top / controller / path.strip("/")
            yield from ((controller, folder) for folder in (group, *group.parents) if folder.is_relative_to(top))


def _of_groups(root: Path) -> Iterator[int]:
    """What is left in each group with a limit."""
    for controller, folder in groups(root):
        if not controller:
            yield from _left(folder, "memory.max", "memory.current", "inactive_file")
        elif controller == "memory":
            yield from _left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _left(folder: Path, limit: str, used: str, cache: str) -> Iterator[int]:
    """Of one group: its limit less what it holds, old pages of files not counted."""
    words = _read(folder / limit)
    if words.isdecimal():  # else "max", or a group without this file: the topmost, or of a container we are outside
        pages = dict(line.split() for line in _read(folder / "memory.stat").splitlines())
        yield int(words) - int(_read(folder / used)) + int(pages.get(cache, 0))


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() if path.is_file() else ""
