"""What works on this machine and what does not: facts for `bareme doctor`, and the choice of device.

Nothing here starts a GPU context or runs student code. What to change is said in `sandbox.obstacles`.
"""

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import psutil

from harness import __version__, sandbox
from harness.course import Course
from harness.errors import SandboxUnavailable, UsageError
from harness.records import AskedDevice, Device, Text
from harness.sandbox import obstacles
from harness.sandbox.warm.contract import Warmth

GPU_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
GPU_QUERY_S = 10.0
GIB = 2**30
NOTHING_AHEAD = Warmth({"nothing.py": b"def prepare(settings): pass"}, packages=(), module="nothing.py", settings="")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about this machine."""

    name: str
    fine: bool
    detail: str
    remedy: Text | None = None
    blocks: bool = False  # nothing can be marked until it is mended


def device(asked: AskedDevice, allowed: Literal["cpu", "any", "cuda"]) -> Device:
    """Where kernels put tensors, given what the command asks for and the assignment allows.

    Raises:
        UsageError: the two contradict each other, or there is no GPU.
    """
    if allowed == "cpu" or (asked == "cpu" and allowed == "any"):
        if asked == "cuda":
            raise UsageError("this assignment runs on CPU only", remedy="Leave --device out.")
        return "cpu"
    if asked == "cpu":
        raise UsageError("this assignment needs a GPU", remedy="Leave --device out, on a machine that has one.")
    if gpu() is not None:
        return "cuda"
    if asked == "auto" and allowed == "any":
        return "cpu"
    raise UsageError("no GPU was found by nvidia-smi", remedy="Use --device cpu, or a machine with a GPU and driver.")


def device_name(chosen: Device) -> str:
    """What results say about the device: "cpu", or the GPU's own description."""
    return (gpu() or chosen) if chosen == "cuda" else chosen


def gpu() -> str | None:
    """Name, driver and memory of the first GPU, None where there is none."""
    if shutil.which(GPU_QUERY[0]) is None:
        return None
    answer = subprocess.run(GPU_QUERY, capture_output=True, text=True, timeout=GPU_QUERY_S, check=False)
    return answer.stdout.splitlines()[0] if answer.returncode == 0 and answer.stdout else None


def examine(course: Course) -> tuple[Finding, ...]:
    """Every fact that decides whether, and how well, `course` can be marked here."""
    return (
        Finding("bareme", fine=True, detail=__version__),
        *_sandboxes(),
        *_guarantees(),
        _machine(),
        _gpu(),
        *(_package(name) for name in sorted(_packages(course))),
    )


def _sandboxes() -> list[Finding]:
    """Whether sandboxes start here, and whether they start warm: that needs the first, and does without the second."""
    try:
        sandbox.choose("bubblewrap")
    except SandboxUnavailable as error:
        return [_seccomp(), Finding("sandbox", fine=False, detail=error.problem, remedy=_remedy(error), blocks=True)]
    return [_seccomp(), Finding("sandbox", fine=True, detail=sandbox.describe()), _warm()]


def _seccomp() -> Finding:
    remedy = obstacles.filters_remedy()
    if remedy is None:
        return Finding("seccomp", fine=True, detail="Linux takes filters of system calls")
    return Finding("seccomp", fine=False, detail="Linux takes no filters of system calls", remedy=remedy, blocks=True)


def _warm() -> Finding:
    """Whether a fork server can start a sandbox nested in its own: both are really started."""
    server = sandbox.serve(NOTHING_AHEAD)
    try:
        server.wait()
    except SandboxUnavailable as error:
        mend = _remedy(error)
        remedy = Text(
            fr=f"Les noyaux démarrent à froid, ce qui coûte des secondes par notebook. {mend.fr}",
            en=f"Kernels start cold, which costs seconds a notebook. {mend.en}",
        )
        return Finding("warm kernels", fine=False, detail=error.problem.splitlines()[-1], remedy=remedy)
    finally:
        server.close()
    return Finding("warm kernels", fine=True, detail="sandboxes are forked from one that has imported everything")


def _remedy(error: SandboxUnavailable) -> Text:
    """In both languages where the obstacle is a known one."""
    known = obstacles.remedy(error.problem)
    return known if known.en == error.remedy else Text(fr=error.remedy, en=error.remedy)


def _guarantees() -> list[Finding]:
    remedies = {"landlock": obstacles.landlock_remedy()}
    return [
        Finding(f"sandbox: {item.name}", item.covered, item.detail, remedies.get(item.name))
        for item in sandbox.guarantees()
    ]


def _machine() -> Finding:
    memory = psutil.virtual_memory().total / GIB
    return Finding("machine", fine=True, detail=f"{psutil.cpu_count()} CPUs, {memory:.1f} GiB of memory")


def _gpu() -> Finding:
    return Finding("gpu", fine=True, detail=gpu() or "none: assignments run on CPU")


def _packages(course: Course) -> set[str]:
    return {name for assignment in course.assignments.values() for name in assignment.file.policy.packages}


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", fine=True, detail=version(name))
    except PackageNotFoundError:
        remedy = Text(
            fr=f"Les notebooks qui importent {name} échoueront ici : pip install {name}",
            en=f"Notebooks that import {name} will fail here: pip install {name}",
        )
        return Finding(f"package {name}", fine=False, detail="not installed", remedy=remedy)
