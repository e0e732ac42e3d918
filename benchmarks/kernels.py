"""What does a kernel cost, started cold and warm? Seconds to the answer of a first cell, memory of its own.

    python benchmarks/kernels.py [--runs 20] [--packages numpy torch] [--json]

Cold and warm in turn. A start lasts from asking for a sandbox to the answer of a cell that imports the packages, an
end until every process is gone. Memory is of all processes of an idle kernel after that cell: private pages, and its
share of all pages (each page divided among those that have it, the fork server included).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import sandbox
from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.kernel.warmth import warmth
from harness.records import Cell, Outcome
from harness.sandbox import proc
from harness.sandbox.contract import Process, Program, Sandbox

MIB = 2**20
KIB = 1024
PRIVATE = ("Private_Dirty", "Private_Clean")  # lines of smaps_rollup


@dataclass
class Recorded:
    """A sandbox, and the process that it started last."""

    sandbox: Sandbox
    process: Process | None = None

    def start(self, program: Program) -> Process:
        """See `contract.Sandbox.start`."""
        self.process = self.sandbox.start(program)
        return self.process

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sandbox, name)


@dataclass(frozen=True)
class Cost:
    """One kernel's."""

    start_s: float
    end_s: float
    private_mib: float
    share_mib: float


def cost(box: Sandbox, policy: Policy) -> Cost:
    """Start a kernel in `box`, run one cell, look at its memory, end it."""
    recorded = Recorded(box)
    source = "\n".join(f"import {name}" for name in policy.packages)
    cells = (Cell(0, "imports", source),)
    plan = Plan(cells=cells, files={}, limits=Limits(), policy=policy, device="cpu", seed=1)
    began = time.perf_counter()
    notebook = LiveNotebook(plan, recorded)
    [run] = notebook.run_cells().cells
    started = time.perf_counter()
    assert run.outcome is Outcome.PASSED, run
    assert recorded.process is not None
    pids = [pid for pid, _ in proc.walk(recorded.process.pid)]
    private, share = (sum(_kibibytes(pid, names) for pid in pids) * KIB / MIB for names in (PRIVATE, ("Pss",)))
    ending = time.perf_counter()
    notebook.close()
    return Cost(started - began, time.perf_counter() - ending, private, share)


def _kibibytes(pid: int, names: tuple[str, ...]) -> int:
    """Of lines of smaps_rollup, see proc(5)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in names)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--packages", nargs="+", default=["numpy", "torch"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    policy = Policy(packages=tuple(asked.packages))
    server = sandbox.serve(warmth(policy, "cpu"))
    try:
        server.wait()
        ways: dict[str, Callable[[], Sandbox]] = {
            "cold": lambda: sandbox.choose("bubblewrap"),
            "warm": lambda: sandbox.Warm(server.address, server.warmth),
        }
        costs: dict[str, list[Cost]] = {way: [] for way in ways}
        for _ in range(asked.runs):
            for way, box in ways.items():
                costs[way].append(cost(box(), policy))
    finally:
        server.close()
    table = {
        way: {name: [getattr(one, name) for one in found] for name in Cost.__dataclass_fields__}
        for way, found in costs.items()
    }
    for way, figures in table.items():
        told = (
            f"{name} {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
            for name, values in figures.items()
        )
        print(f"{way}: {', '.join(told)}")
    if asked.json:
        medians = {
            f"{way}_{name}": statistics.median(values) for way, row in table.items() for name, values in row.items()
        }
        print(json.dumps(medians))


if __name__ == "__main__":
    main()
