"""What was measured, as a dated page in Markdown, and as one line for a machine."""

import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.throughput.peers import VERSIONS
from benchmarks.throughput.rounds import Contender, Measured, Middle, own_cost

BASE = "bareme_warm"  # the row that others are compared with
OURS = ("bareme", "torch", "nbclient", "jupyter_client", "ipykernel")
STAGES = ("started", "executed", "checked")  # of those in results.json; "queued" is waiting for others
Own = Sequence[tuple[float, float]]  # seconds of the cells, and of the check calls, of each student


def facts() -> list[str]:
    """What kind of machine this is, and how busy it was before the first run."""
    cores, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in OURS)
    peers = ", ".join(f"{name} {pinned}" for name, pinned in VERSIONS.items())
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    return [
        f"{cores} cores of {_processor()}, {memory:.0f} GiB of memory",
        f"Linux {platform.release()}, Python {platform.python_version()}, as {who}",
        f"{versions}; {peers}",
        f"load before the first run: {os.getloadavg()[0]:.1f}",
    ]


def headline(found: Mapping[str, Measured], names: Sequence[str]) -> dict[str, float]:
    """Median wall seconds a notebook, of those of `names` that were measured."""
    return {name: round(Middle.of(found[name].per_notebook_s()).median, 4) for name in names if name in found}


def page(
    command: str,
    machine: Sequence[str],
    rows: Sequence[Contender],
    found: Mapping[str, Measured],
    own: Own,
    assignments: Mapping[str, Mapping[str, Measured]],
) -> str:
    """The whole page. Times are medians of the timed runs, with the least and the most."""
    parts = [
        f"# Throughput, {date.today().isoformat()}",
        "\n".join(f"- {fact}" for fact in machine),
        f"`{command}`, finished at {time.strftime('%H:%M')}. How each figure is measured: docs/throughput.md.",
        _cohort(rows, found),
        _own(found, own),
        _assignments(assignments),
    ]
    return "\n\n".join(part for part in parts if part)


def _cohort(rows: Sequence[Contender], found: Mapping[str, Measured]) -> str:
    notebooks = max(measured.notebooks for measured in found.values())
    lines = [
        f"## {notebooks} three-cell torch notebooks, five checks each",
        "",
        "| | what | wall s a notebook | a minute | CPU s a notebook | peak memory, MiB | times bareme warm |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_row(row, found[row.name], found.get(BASE)) for row in rows if row.first is None),
    ]
    return "\n".join(lines)


def _row(row: Contender, measured: Measured, base: Measured | None) -> str:
    wall = Middle.of(measured.per_notebook_s())
    ratio = f"{wall.median / Middle.of(base.per_notebook_s()).median:.1f}" if base else "-"
    cells = (row.name, row.what, f"{wall:.3f}", f"{60 / wall.median:.0f}", _cpu(measured), _memory(measured), ratio)
    return f"| {' | '.join(cells)} |"


def _cpu(measured: Measured) -> str:
    seconds = measured.cpu_per_notebook_s()
    return f"{Middle.of(seconds):.3f}" if seconds else "not measured: no control group could be made"


def _memory(measured: Measured) -> str:
    usage = measured.looked
    unread = f", and {usage.unread} processes that may not be read" if usage.unread else ""
    return f"{(usage.peak_bytes or 0) / 2**20:.0f}{unread}"


def _own(found: Mapping[str, Measured], own: Own) -> str:
    cells, calls = (statistics.median(seconds) for seconds in zip(*own, strict=True))
    lines = [
        "## The student's own time, and bareme's",
        "",
        f"- the student's cells, in a plain process with torch imported: median {cells:.4f} s",
        f"- the calls of the five checks, there: median {calls:.4f} s",
    ]
    many, one = found.get("bareme_warm_1"), found.get("bareme_first")
    if many and one and many.notebooks > one.notebooks:
        students = statistics.median(sum(seconds) for seconds in own)
        lines.append(f"- bareme's own cost of each further notebook, one job: {own_cost(many, one, students):.3f} s")
        lines.append(f"- of that run of one notebook, all of it: {Middle.of(one.per_notebook_s()):.3f} s")
        lines += [f"- {stage}, one job, as results.json has it: median {_stage(many, stage):.3f} s" for stage in STAGES]
    return "\n".join(lines)


def _stage(measured: Measured, stage: str) -> float:
    return statistics.median(seconds[stage] for run in measured.stages for seconds in run)


def _assignments(assignments: Mapping[str, Mapping[str, Measured]]) -> str:
    if not assignments:
        return ""
    lines = [
        "## The bundled cohorts",
        "",
        "| assignment | kernels | notebooks | wall s in all | a notebook | CPU s a notebook | peak memory, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for slug, ways in assignments.items():
        for kernels, measured in ways.items():
            wall, each = Middle.of([usage.wall_s for usage in measured.timed]), Middle.of(measured.per_notebook_s())
            cells = (
                slug,
                kernels,
                str(measured.notebooks),
                f"{wall:.1f}",
                f"{each:.3f}",
                _cpu(measured),
                _memory(measured),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _processor() -> str:
    """The model that Linux names; on ARM64 it names none."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
