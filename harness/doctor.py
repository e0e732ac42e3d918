"""What works on this machine and what does not: facts for `bareme doctor`, and the choice of device.

Nothing here starts a GPU context or runs student code.
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
from harness.records import Text

GPU_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
GPU_QUERY_S = 10.0
GIB = 2**30
Asked = Literal["auto", "cpu", "cuda"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about this machine."""

    name: str
    fine: bool
    detail: str
    remedy: Text | None = None
    blocks: bool = False  # nothing can be marked until it is mended


def device(asked: Asked, allowed: Literal["cpu", "any", "cuda"]) -> Device:
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
        _sandbox(),
        *_guarantees(),
        _machine(),
        _gpu(),
        *(_package(name) for name in sorted(_packages(course))),
    )


def _sandbox() -> Finding:
    try:
        sandbox.choose("bubblewrap")
    except SandboxUnavailable as error:
        remedy = Text(fr=error.remedy, en=error.remedy)
        return Finding("sandbox", fine=False, detail=error.problem, remedy=remedy, blocks=True)
    return Finding("sandbox", fine=True, detail=sandbox.describe())


def _guarantees() -> list[Finding]:
    return [Finding(f"sandbox: {item.name}", item.covered, item.detail) for item in sandbox.guarantees()]


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
