"""How long a student waits: from `bareme check` to its first line, to the first check's result, to the end.

    python benchmarks/feedback.py [--repeat 10] [--json]

Three cases, in turn: no host (every check pays for Python, imports and a kernel), a host with kernels started cold, a
host with warm kernels. Whole processes by the wall clock, output through a pipe; medians, least and most.
Not covered: the time that the student's own cells and calls take on their own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from harness.host import client

ASSIGNMENTS = ("attention", "ngram")
CASES = {"no host": ("--no-host",), "host, cold kernels": ("--kernels", "cold"), "host, warm kernels": ()}
READY_S = 60.0
MOMENTS = ("first line", "first check", "end")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeat", type=int, default=10)
    arguments.add_argument("--json", action="store_true", help="one line of medians instead of a table")
    chosen = arguments.parse_args()
    seconds: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    with a_place():
        for slug in ASSIGNMENTS:
            ready(slug)
        for _ in range(chosen.repeat):
            for slug in ASSIGNMENTS:
                for case, options in CASES.items():
                    seconds.setdefault((slug, case), []).append(wait_for(slug, *options))
        client.stop()
    print(as_json(seconds) if chosen.json else as_table(seconds))


@contextmanager
def a_place() -> Iterator[None]:
    """A folder for the host's socket of its own: the user's host is left alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        os.environ.pop("CI", None)
        try:
            yield
        finally:
            client.stop()


def ready(slug: str) -> None:
    """Check until the host has all that `slug` needs."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        wait_for(slug)
        facts = client.status()
        if facts is not None and slug in facts.warm:
            wait_for(slug)  # what it still had to import is taken over
            return
        time.sleep(1.0)
    sys.exit(f"no warm kernels for {slug}: `bareme host` says why")


def wait_for(slug: str, *options: str) -> tuple[float, ...]:
    """Seconds to each of `MOMENTS` of one check."""
    notebook = Path(str(files("assignments")), slug, "cohort", "student-01", f"{slug}.ipynb")
    before = time.perf_counter()
    line = [sys.executable, "-m", "harness", "check", str(notebook), slug, "--device", "cpu", *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as command:
        moments = [time.perf_counter() - before for _ in command.stdout or ()][:2]
    if command.returncode != 0:
        sys.exit(f"{' '.join(line)} ended with {command.returncode}")
    return (*moments, time.perf_counter() - before)


def as_table(seconds: dict[tuple[str, str], list[tuple[float, ...]]]) -> str:
    rows = [f"| assignment | case | {' | '.join(MOMENTS)} |", "| --- | --- |" + " --- |" * len(MOMENTS)]
    for (slug, case), runs in seconds.items():
        cells = [
            f"{statistics.median(each):.2f} ({min(each):.2f} – {max(each):.2f})" for each in zip(*runs, strict=True)
        ]
        rows.append(f"| {slug} | {case} | {' | '.join(cells)} |")
    return "\n".join(rows)


def as_json(seconds: dict[tuple[str, str], list[tuple[float, ...]]]) -> str:
    medians = {
        f"{slug}, {case}": dict(zip(MOMENTS, map(statistics.median, zip(*runs, strict=True)), strict=True))
        for (slug, case), runs in seconds.items()
    }
    return json.dumps(medians)


if __name__ == "__main__":
    main()
