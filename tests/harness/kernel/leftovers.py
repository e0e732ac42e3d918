"""Opens notebooks and prints, as JSON, what this process holds when they are closed: `leftovers.py cold|warm`.

In a process of its own: what thousands of tests have opened in theirs may be closed at any time.
"""

import gc
import json
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.kernel.warmth import warmth
from harness.records import Cell
from harness.sandbox.bubblewrap import Bubblewrap
from harness.sandbox.contract import Sandbox
from harness.sandbox.warm.outside import Warm
from harness.sandbox.warm.owner import ForkServer

NUMPY = Policy(packages=("numpy",))
SOURCES = ("x = 1", "import os; os._exit(0)", "y = 1")
PATIENCE_S = 10.0  # threads close a little later what they were looking at


def held() -> set[str]:
    """Descriptors of this process, by number and target, and the processes below it."""
    gc.collect()
    found = {f"process {child.pid}" for child in psutil.Process().children(recursive=True)}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.add(f"{link.name} -> {link.readlink()}")
    return found


def sandbox(name: str, closing: ExitStack) -> Sandbox:
    if name == "cold":
        return Bubblewrap()
    server = ForkServer(warmth(NUMPY, "cpu"), secrets=())
    closing.callback(server.close)
    server.wait()
    return Warm(server.address, server.warmth)


def open_and_close(where: Sandbox) -> None:
    cells = tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(SOURCES))
    limits = Limits(cell_s=20, call_s=20, wall_s=120)
    with LiveNotebook(Plan(cells, {}, limits, NUMPY, "cpu", 7), where) as notebook:
        notebook.run_cells()


def left(where: Sandbox) -> list[str]:
    """What a second notebook has left: the first also opens what serves all that follow."""
    open_and_close(where)
    before = held()
    open_and_close(where)
    until = time.monotonic() + PATIENCE_S
    while (new := held() - before) and time.monotonic() < until:
        time.sleep(0.05)
    return sorted(new)


if __name__ == "__main__":
    with ExitStack() as closing:
        found = left(sandbox(sys.argv[1], closing))
    sys.stdout.write(json.dumps(found))
