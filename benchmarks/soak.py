"""Does a long run leave anything behind, and does anything grow? One run over a cohort with 5 % killers, from outside.

    python benchmarks/soak.py [--submissions 2000] [--kernels warm] [--jobs 2] [--seed 1] [--out FILE.md] [--json]

Exit code 1 when a result is wrong, something is left, or the memory or the descriptors of the grader, a worker or the
fork server differ by over 5 % between the last quarter and the second. 2,000 submissions take about five minutes on two
cores; a short run says what the long one will take.
"""

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.soaking import judge, watch
from benchmarks.soaking.cohort import SLUG, draw, write_cohort, write_course

LOOK_EVERY_S = 0.5
ENDING_S = 10.0  # for what was orphaned by the end of the run
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass
class Soak:
    """One run of the command, watched."""

    submissions: int
    folder: Path
    samples: list[watch.Sample] = field(default_factory=list)
    seen: set[tuple[int, float]] = field(default_factory=set)
    done: int = 0
    wall_s: float = 0.0
    code: int = 0

    def run(self, *options: str) -> None:
        """Mark the cohort, and look at it until that is done."""
        grade = [sys.executable, "-m", "harness", "grade", "--no-host"]
        began = time.monotonic()
        grader = subprocess.Popen(
            [*grade, SLUG, "cohort", "--out", "out", "--course", "course", "--device", "cpu", "--lang", "en", *options],
            cwd=self.folder, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(self.folder / "tmp")},
        )  # fmt: skip
        reader = threading.Thread(target=self._count, args=(grader.stderr,))
        reader.start()
        root = psutil.Process(grader.pid)
        try:
            while grader.poll() is None:
                self._look(root, time.monotonic() - began)
                with suppress(subprocess.TimeoutExpired):
                    grader.wait(LOOK_EVERY_S)
        finally:
            grader.kill()  # where we fail, or are interrupted, before it ends
            self.code = grader.wait()
        self.wall_s = time.monotonic() - began
        reader.join()

    def _look(self, root: psutil.Process, at_s: float) -> None:
        try:
            sample, seen = watch.sample(root, at_s, self.done)
        except psutil.NoSuchProcess:  # it has just ended
            return
        self.samples.append(sample)
        self.seen |= seen

    def _count(self, lines: Any) -> None:
        """Follow the command's progress; whatever else it says is passed on."""
        for line in lines:
            if line.startswith(f"{self.done + 1}/{self.submissions} "):
                self.done += 1
            else:
                print(line, end="", file=sys.stderr)

    def left_behind(self) -> list[str]:
        """What there still is, one sentence each."""
        _, orphans = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=ENDING_S)
        still = [pid for pid, began in self.seen if psutil.pid_exists(pid) and _began(pid) == began]
        return [
            *(f"process {each.pid} runs: {' '.join(each.cmdline())}" for each in orphans),
            *(
                f"process {pid} has left the run and lives"
                for pid in still
                if pid not in {each.pid for each in orphans}
            ),
            *(f"the file {path} is left" for path in (self.folder / "tmp").rglob("*")),
            *(f"the socket {name} is left" for name in watch.sockets_named(self.folder)),
        ]


def main() -> int:
    asked = _asked()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # whatever the run loses comes to us
    students = draw(asked.submissions, asked.seed)
    before = _around()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        soak = Soak(asked.submissions, Path(name))
        write_course(soak.folder / "course")
        write_cohort(soak.folder / "cohort", students)
        (soak.folder / "tmp").mkdir()
        soak.run("--jobs", str(asked.jobs), "--seed", str(asked.seed), "--kernels", asked.kernels)
        left = soak.left_behind()
        results = soak.folder / "out" / "results.json"
        marked = json.loads(results.read_text(encoding="utf-8"))["submissions"] if results.exists() else []
    after = _around()
    grown = list(judge.growth(soak.samples, asked.submissions))
    problems = [
        *([f"the command ended with {soak.code}"] if soak.code else []),
        *judge.wrong_results(marked, students),
        *left,
        *(f"{each.role}, {each.what}: {each.second:.1f} -> {each.last:.1f}" for each in grown if not each.flat),
        *([] if grown else ["too few samples to tell whether anything grows"]),
        *([f"descriptors of this process: {before[0]} -> {after[0]}"] if before[0] != after[0] else []),
        *([f"mounts: {before[1]} -> {after[1]}"] if before[1] != after[1] else []),
    ]
    table = report(asked, soak, Counter(students.values()), grown, problems=problems, around=(before, after))
    print(table)
    if asked.out:
        asked.out.write_text(table + "\n", encoding="utf-8")
    if asked.json:
        print(json.dumps({"submissions": asked.submissions, "wall_s": round(soak.wall_s, 1), "problems": problems}))
    return 1 if problems else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--submissions", type=int, default=2000)
    parser.add_argument("--kernels", choices=["auto", "warm", "cold"], default="warm")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    return parser.parse_args()


def report(
    asked: argparse.Namespace,
    soak: Soak,
    kinds: Counter[str],
    grown: list[judge.Growth],
    *,
    problems: list[str],
    around: tuple[tuple[int, int, int], tuple[int, int, int]],
) -> str:
    """The soak as a page of Markdown."""
    (_, mounts, spaces), (_, mounts_after, spaces_after) = around
    each_s = soak.wall_s / asked.submissions
    columns = ("processes", "descriptors", "sockets", "namespaces", "machine_namespaces", "mounts")
    lines = [
        f"# Soak, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{asked.submissions} submissions, {asked.kernels} kernels, {asked.jobs} jobs, seed {asked.seed}: "
        f"{soak.wall_s:.0f} s, {each_s:.3f} s each; 2,000 would take {2000 * each_s / 60:.1f} minutes.",
        f"Linux {platform.release()}, {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}.",
        "",
        "Cohort: " + ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common()) + ".",
        "",
        "| while it ran | least | median | most |",
        "| --- | ---: | ---: | ---: |",
    ]
    for column in columns:
        values = [getattr(each, column) for each in soak.samples]
        lines.append(f"| {column.replace('_', ' ')} | {min(values)} | {median(values):g} | {max(values)} |")
    lines += [
        "",
        f"Before and after, on the whole machine: {mounts} and {mounts_after} mounts, {spaces} and {spaces_after} "
        "namespaces (of others too).",
        "",
        "| of one process | second quarter | last quarter | |",
        "| --- | ---: | ---: | --- |",
        *(f"| {each.role}, {each.what} | {each.second:.1f} | {each.last:.1f} | {_verdict(each)} |" for each in grown),
        "",
        *([f"- {problem}" for problem in problems] or ["Every result is right, nothing is left, nothing grows."]),
    ]
    return "\n".join(lines)


def _verdict(growth: judge.Growth) -> str:
    if not growth.judged:
        return "not judged"
    return "flat" if growth.flat else "NOT FLAT"


def _around() -> tuple[int, int, int]:
    """Descriptors of this process, mounts and namespaces of the machine."""
    return len(list(Path("/proc/self/fd").iterdir())), watch.mounts(), len(watch.namespaces(psutil.pids()))


def _began(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


if __name__ == "__main__":
    sys.exit(main())
