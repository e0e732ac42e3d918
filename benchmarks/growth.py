"""Are linear, n log n and quadratic implementations told apart? Prints how often each class was found.

    python benchmarks/growth.py [--runs 20] [--load 2] [--only NAME…]

Nine small notebooks, three each in plain Python, NumPy and torch, in real kernels; each run is a measurement of its own
with another seed. Evidence is the least of all runs: how many times as likely as the second class the one found is.
`--load N` keeps N processes busy meanwhile, which compute and walk through memory. A run of one notebook takes 4 to 8
seconds of an idle machine.
"""

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.checks.proxy import NULL_CALLS, Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.metrics import growth
from harness.metrics.growth.measure import CLASS_WORDS
from harness.records import Cell, Text
from harness.sandbox.bubblewrap import Bubblewrap

PYTHON = """
def python_linear(x):
    state = 0
    for value in x.tolist():
        for base in (31, 37, 41, 43, 47):
            state = (state * base + int(value * 1000)) % 1000003
    return float(state)

def python_sort(x):
    def sort(values):
        if len(values) < 2:
            return values
        middle = len(values) // 2
        left, right = sort(values[:middle]), sort(values[middle:])
        merged, i, j = [], 0, 0
        while i < len(left) and j < len(right):
            if left[i] <= right[j]:
                merged.append(left[i])
                i += 1
            else:
                merged.append(right[j])
                j += 1
        return merged + left[i:] + right[j:]
    return sort(x.tolist())[len(x) // 2]

def python_pairs(x):
    values = x.tolist()
    return float(sum(1 for i, left in enumerate(values) for right in values[i:] if left > right))
"""
NUMPY = """
import numpy as np

def numpy_linear(x):
    weights = np.cos(np.arange(4096.0)).reshape(64, 64) / 64
    state = np.zeros(64)
    for value in x:
        state = np.tanh(weights @ state + value)
    return float(state.sum())

def numpy_sort(x):
    return float(np.sort(x, kind="stable")[len(x) // 2])

def numpy_pairs(x):
    rows = max(1, 8192 // len(x))  # temporary arrays of 64 KiB at any size: larger ones cost page faults
    blocks = np.split(x, range(rows, len(x), rows))
    return float(sum(np.exp(-np.abs(block[:, None] - x)).sum() for block in blocks))
"""
TORCH = """
import torch
torch.set_num_threads(1)

def torch_linear(x):
    kernels = torch.cos(torch.arange(32.0 * 9, dtype=torch.float64)).reshape(32, 1, 9)
    blocks = torch.from_numpy(x)[None, None, :].split(256, dim=-1)
    return float(sum(torch.tanh(torch.nn.functional.conv1d(block, kernels, padding=8)).sum() for block in blocks))

def torch_sort(x):
    return float(torch.sort(torch.from_numpy(x), stable=True).values[len(x) // 2])

def torch_attention(x):
    state = torch.cos(torch.from_numpy(x)[:, None] * torch.arange(16, dtype=torch.float64))
    return float(torch.softmax(state @ state.T, dim=-1).sum())
"""


@dataclass(frozen=True)
class Case:
    name: str
    order: str
    source: str
    sizes: tuple[int, int]


CASES = (
    Case("python_linear", "n", PYTHON, (256, 200_000)),
    Case("python_sort", "n log n", PYTHON, (256, 200_000)),
    Case("python_pairs", "n^2", PYTHON, (32, 20_000)),
    Case("numpy_linear", "n", NUMPY, (128, 200_000)),
    Case("numpy_sort", "n log n", NUMPY, (1024, 2_000_000)),
    Case("numpy_pairs", "n^2", NUMPY, (64, 20_000)),
    Case("torch_linear", "n", TORCH, (256, 1_000_000)),
    Case("torch_sort", "n log n", TORCH, (1024, 2_000_000)),
    Case("torch_attention", "n^2", TORCH, (32, 8_000)),
)


def main() -> None:
    arguments = parsed()
    print(f"{'notebook':>16}  {'law':>8}  {'recognised':>10}  {'slope, median (range)':>24}  {'evidence':>8}  seconds")
    with busy(arguments.load):
        for case in CASES:
            if case.name in arguments.only:
                show(case, [run(case, seed) for seed in range(arguments.runs)])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--load", type=int, default=0, help="busy processes beside the measurement")
    names = [case.name for case in CASES]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="notebooks")
    return parser.parse_args()


def run(case: Case, seed: int) -> tuple[dict[str, Any], float, float]:
    """Facts in English by name, slope, seconds."""
    with ExitStack() as closing:
        subject, baseline = (closing.enter_context(opened(case.source, *extra)) for extra in ((), (NULL_CALLS,)))
        began = time.perf_counter()
        (found,) = growth.measure(
            getattr(subject, case.name),
            getattr(baseline, case.name),
            lambda n, rng: (rng.normal(size=n),),
            rng=np.random.default_rng(seed),
            same=agree,
            promise=growth.Promise(case.order, case.sizes),
        )
        seconds = time.perf_counter() - began
    english = {fact.name.en: fact.value.en if isinstance(fact.value, Text) else fact.value for fact in found.facts}
    return english, found.value, seconds


@contextmanager
def opened(*sources: str) -> Iterator[Submission]:
    cells = tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(sources))
    limits = Limits(wall_s=600.0, cpu_s=600.0, call_s=60.0)
    plan = Plan(cells, {}, limits, Policy(packages=("numpy", "torch")), "cpu", 7, timed=True)
    with LiveNotebook(plan, Bubblewrap()) as notebook:
        notebook.run_cells()
        yield Submission(Conversation(notebook))


def agree(answer: object, expected: object) -> None:
    np.testing.assert_allclose(answer, expected, rtol=1e-9)


def show(case: Case, runs: list[tuple[dict[str, Any], float, float]]) -> None:
    found = Counter(facts["class"] for facts, _, _ in runs)
    slopes = [slope for _, slope, _ in runs]
    evidence = min(facts["likelihood of the class against the second"] for facts, _, _ in runs)
    wanted = CLASS_WORDS[case.order].en
    others = {name: count for name, count in found.items() if name != wanted}
    print(
        f"{case.name:>16}  {case.order:>8}  {found[wanted]:>4} of {len(runs):<3}"
        f"  {np.median(slopes):>9.3f} ({min(slopes):.3f} to {max(slopes):.3f})  {evidence:>8.2g}"
        f"  {np.mean([seconds for _, _, seconds in runs]):>7.1f}  {others or ''}",
        flush=True,
    )
    print("                  ", runs[0][0]["sizes"], "|", runs[0][0]["median costs"], flush=True)


@contextmanager
def busy(count: int) -> Iterator[None]:
    processes = [multiprocessing.Process(target=burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def burn() -> None:
    rng = np.random.default_rng()
    memory = np.zeros(1 << 22)
    while True:
        memory[rng.integers(len(memory), size=1 << 16)] += 1.0
        sum(range(1 << 18))


if __name__ == "__main__":
    main()
