"""How well ratios of speed repeat: `python benchmarks/speed.py [--runs 20] [--load 2]`, some minutes.

The same notebook is marked again and again, each time in new kernels, and so is the solution against itself.
With `--load N`, N processes work and rest in turn beside it, each for 0.1 to 0.5 s at random: one in Python, the next
in memory. Prints the counts that the project promises (docs/metrics/speed.md), a line for each kind of work.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.checks.proxy import NULL_CALLS, Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.metrics.contract import Measurement
from harness.metrics.speed import Settings, measure
from harness.records import Cell
from harness.sandbox.bubblewrap import Bubblewrap

PLENTY = Limits(wall_s=3600.0, cpu_s=3600.0, call_s=60.0)
WITHIN = 0.05  # of the median of all runs
NEIGHBOUR = """
import random, sys, time
import numpy as np
draw, data = random.Random(int(sys.argv[1])), np.ones(4_000_000)
while True:
    until = time.monotonic() + draw.uniform(0.1, 0.5)
    while time.monotonic() < until:
        data.sum() if int(sys.argv[1]) % 2 else sum(range(20_000))
    time.sleep(draw.uniform(0.1, 0.5))
"""


@dataclass(frozen=True)
class Work:
    """A solution, a notebook that does the same otherwise, and inputs for both."""

    solution: str
    notebook: str
    draw: Callable[[np.random.Generator], tuple[Any, ...]]
    packages: tuple[str, ...] = ("numpy",)


def text(rng: np.random.Generator) -> tuple[Any, ...]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzàâçèéêëîïôü -'.,"))
    return ("".join(rng.choice(letters, size=int(rng.integers(40_000, 48_000)))),)


def points(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(int(rng.integers(700, 800)), 16)), rng.normal(size=(600, 16))


def heads(rng: np.random.Generator) -> tuple[Any, ...]:
    import torch

    n = int(rng.integers(180, 220))
    return tuple(torch.from_numpy(rng.normal(size=(8, n, 64))) for _ in range(3))


WORKS = {
    "pure Python: counts of pairs": Work(
        """
def f(text):
    counts = {}
    for pair in zip(text, text[1:]):
        counts[pair] = counts.get(pair, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
""",
        """
def f(text):
    counts = {}
    for i in range(len(text) - 1):
        pair = (text[i], text[i + 1])
        if pair not in counts:
            counts[pair] = 0
        counts[pair] = counts[pair] + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
""",
        text,
    ),
    "NumPy: distances": Work(
        """
import numpy as np
def f(x, y):
    return np.sort(np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1)).sum(1))
""",
        """
import numpy as np
def f(x, y):
    return np.sort(np.array([np.sqrt(((row - y) ** 2).sum(-1)).sum() for row in x]))
""",
        points,
    ),
    "torch: attention": Work(
        """
import torch
def f(q, k, v):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return torch.softmax(scores, -1) @ v
""",
        """
import torch
def f(q, k, v):
    scores = torch.einsum("hid,hjd->hij", q, k) / q.shape[-1] ** 0.5
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    return torch.einsum("hij,hjd->hid", weights / weights.sum(-1, keepdim=True), v)
""",
        heads,
        ("numpy", "torch"),
    ),
}


def same(answer: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert answer == expected
    else:
        np.testing.assert_allclose(np.asarray(answer), np.asarray(expected), rtol=1e-9, atol=1e-9)


def mark(work: Work, notebook: str, seed: int) -> tuple[Measurement, ...]:
    """One marking: two new kernels, one measurement."""
    with ExitStack() as closing:

        def opened(*sources: str) -> Submission:
            cells = tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(sources))
            plan = Plan(cells, {}, PLENTY, Policy(packages=work.packages), "cpu", seed=seed, timed=True)
            live = closing.enter_context(LiveNotebook(plan, Bubblewrap()))
            live.run_cells()
            return Submission(Conversation(live))

        baseline = opened(work.solution, NULL_CALLS).f
        rng = np.random.default_rng(seed)
        return measure(opened(notebook).f, baseline, work.draw, rng=rng, same=same, settings=Settings())


@contextmanager
def neighbours(n: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(seed)]) for seed in range(n)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def report(name: str, runs: list[tuple[Measurement, ...]], seconds: float) -> None:
    """One line for each clock: how often runs agree."""
    for clock in ("speed", "speed_wall"):
        found = [each for run in runs for each in run if each.name == clock]
        if len(found) < 2:
            print(f"{name:<50} {clock:<10} told in {len(found)} of {len(runs)} runs", flush=True)
            continue
        middle = median(each.value for each in found)
        near = sum(abs(each.value / middle - 1) <= WITHIN for each in found)
        covers = sum(each.low <= middle <= each.high for each in found)
        one = sum(each.low <= 1 <= each.high for each in found)
        width = median(each.high / each.low for each in found)
        farthest = max(abs(each.value / middle - 1) for each in found)
        agree = f"within 5 %: {near:2} of {len(found)}, farthest {100 * farthest:4.1f} %"
        holds = f"interval holds the median: {covers:2}, holds 1: {one:2}, high/low {width:.2f}"
        print(f"{name:<50} {clock:<10} {middle:6.3f}  {agree}  {holds}  {seconds / len(runs):.1f} s a run", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="markings of each notebook")
    parser.add_argument("--load", type=int, default=0, help="processes that work in the background")
    parser.add_argument("--only", default="", help="kinds of work whose name contains this")
    chosen = parser.parse_args()
    with neighbours(chosen.load):
        for name, work in WORKS.items():
            if chosen.only in name:
                for what, notebook in (("another notebook", work.notebook), ("the solution itself", work.solution)):
                    began = time.monotonic()
                    runs = [mark(work, notebook, seed) for seed in range(chosen.runs)]
                    report(f"{name}, {what}", runs, time.monotonic() - began)


if __name__ == "__main__":
    main()
