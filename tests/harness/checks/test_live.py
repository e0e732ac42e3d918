"""The same checks against a real kernel in the real sandbox."""

from pathlib import Path
from typing import Any

import pytest

from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.records import Cell, Outcome
from harness.sandbox.bubblewrap import Bubblewrap

CELLS = """\
import numpy as np, os, time

def double(x):
    return 2 * x

def total(values):
    return sum(values) if len(values) < 2 else 0

def leave():
    os._exit(0)

def hang():
    while True: time.sleep(1)

def write(values):
    values[0] = 9

def broken(values):
    return values[10]

class Counter:
    def __init__(self): self.n = 0
    def add(self, k): self.n += k; return self.n
"""
CHECKS = """
@check(points=1, fr="a", en="a")
def test_double(submission, oracle, compare, rng):
    x = rng.normal(size=(3, 4))
    compare(submission.double(x), oracle.double(x))

@check(points=1, fr="b", en="b")
def test_total(submission, oracle, differential):
    differential(submission.total, oracle.total, st.lists(st.integers(-9, 9)))

@check(points=1, fr="c", en="c")
def test_leave(submission):
    submission.leave()

@check(points=1, fr="d", en="d")
def test_hang(submission):
    submission.hang()

@check(points=1, fr="e", en="e")
def test_write(submission):
    submission.write(np.zeros(3))

@check(points=1, fr="f", en="f")
def test_broken(submission):
    submission.broken([1])

@check(points=1, fr="g", en="g")
def test_object(submission, compare):
    counter = submission.Counter()
    counter.add(2)
    compare(counter.add(3), 5)

@check(points=1, fr="h", en="h")
def test_absent(submission):
    submission.total_of([1])
"""


@pytest.mark.slow
def test_a_real_kernel_gives_each_outcome(mark: Any, write: Any) -> None:
    plan = Plan(
        (Cell(0, "c0", CELLS),),
        {},
        Limits(cell_s=20, call_s=4, wall_s=120),
        Policy(packages=("numpy",)),
        "cpu",
        7,
    )
    path: Path = write(CHECKS)
    with LiveNotebook(plan, Bubblewrap()) as notebook:
        notebook.run_cells()
        results = mark(path, notebook)
    outcomes = {name: result.outcome for name, result in results.items()}
    assert outcomes == {
        "double": Outcome.PASSED,
        "total": Outcome.FAILED,
        "leave": Outcome.CRASHED,
        "hang": Outcome.TIMEOUT,
        "write": Outcome.FAILED,
        "broken": Outcome.ERROR,
        "object": Outcome.PASSED,
        "absent": Outcome.MISSING,
    }
    assert results["total"].counterexample in {"total([0, 1])", "total([0, -1])"}
    assert "changes its argument" in results["write"].message.en
    assert "raised IndexError: list index out of range (cell 1, line 19)" in results["broken"].message.en
