"""Kernels that exist in arithmetic only: a simulated clock, known costs, known noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from harness.metrics.contract import Reading, Timing

TICK_S = 0.01  # what Linux counts the CPU time of children in that have ended


@dataclass
class Machine:
    """What all simulated kernels share: a clock, and how much busier than alone everything is."""

    rng: np.random.Generator
    noise: float = 0.0  # of the logarithm of each cost
    waiting: float = 0.0  # seconds waited for each second of CPU
    now_s: float = 0.0

    def takes(self, seconds: float) -> float:
        return seconds * float(np.exp(self.noise * self.rng.normal()))


@dataclass
class Simulated:
    """A kernel whose function returns its argument plus one and takes `cost_s` for it."""

    machine: Machine
    cost_s: float
    transport_s: float = 0.0005
    idle_share: float = 0.0  # processors that it keeps busy between its calls
    sleep_s: float = 0.0  # wall time of a call that no CPU time explains
    child_share: float = 0.0  # of its work, done by child processes that have ended
    dies_after: int | None = None  # calls
    answer: Callable[[Any], Any] = lambda x: x + 1
    seen: list[Any] = field(default_factory=list)
    _used_s: float = 0.0
    _children_s: float = 0.0  # of them
    _since_s: float = 0.0

    def timed(self, *args):
        self.seen.append(args)
        self._idle()
        work_s = self.machine.takes(self.cost_s)
        self._children_s += self.child_share * work_s
        return Timing(self.answer(*args), self._spend(work_s + self.machine.takes(self.transport_s)))

    def __call__(self, *args):
        return self.timed(*args).value

    def map(self, arguments):
        return [self(each) for each in arguments]

    def null(self, args, answer):
        self._idle()
        self._spend(self.machine.takes(self.transport_s))  # hands the answer over
        return Timing(answer, self._spend(self.machine.takes(self.transport_s)))

    def reading(self):
        self._idle()
        dead = self.dies_after is not None and len(self.seen) >= self.dies_after
        ticked_s = TICK_S * math.floor(self._children_s / TICK_S)
        used_s = self._used_s - self._children_s + ticked_s
        return Reading(used_s, self._used_s * self.machine.waiting, 2**20, 2 if dead else 1, ticked_s)

    def _spend(self, cpu_s):
        self._used_s += cpu_s
        wall_s = cpu_s * (1 + self.machine.waiting) + self.sleep_s
        self.machine.now_s += wall_s
        self._since_s = self.machine.now_s
        return wall_s

    def _idle(self):
        self._used_s += self.idle_share * (self.machine.now_s - self._since_s)
        self._since_s = self.machine.now_s


@pytest.fixture
def simulate():
    """(submission, baseline) of known costs on one machine: `simulate(0.004, 0.01, noise=0.1)`."""

    def simulate(subject_s, baseline_s, *, seed=0, noise=0.0, waiting=0.0, **conduct):
        machine = Machine(np.random.default_rng(seed), noise, waiting)
        return Simulated(machine, subject_s, **conduct), Simulated(machine, baseline_s)

    return simulate
