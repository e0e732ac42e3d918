"""What calls of growing size cost: processor time in shuffled rounds, memory from small to large; every answer checked.

Covers which sizes are called, and what is taken off for transport. Not covered: what the costs mean (`models`).

Processor time is charged to a call until the next one begins: what a thread goes on with after the answer counts.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Baseline, Timed
from harness.metrics.growth.models import Array, Costs
from harness.metrics.speed.blocks import Arguments, Fresh, between, visit, without_work

Draw = Callable[[int, np.random.Generator], Arguments]  # (size, randomness) -> the arguments of one call
Same = Callable[[Any, Any], None]  # (answer, expected); raises what the check raises for a wrong answer

N_SIZES = 7  # protocol: at least 5; two more leave room for an overhead that is fitted and one odd size
FEWEST_SIZES = 5
ROUNDS = 7  # the median of 7 bears 3 that a neighbour disturbed
MEMORY_ROUNDS = 3  # allocations repeat to within pages
LEAST_SPAN = 8  # largest over smallest size: below, n log n and n differ by less than caches do
SMALLEST_S = 0.001  # of work at the smallest size: five times what null calls differ by from one to the next
LARGEST_S = 0.1  # by which work has grown at the largest: all rounds then take 2 s, and the baseline's as long
TICK_S = 1 / os.sysconf("SC_CLK_TCK")  # in which Linux counts children that have ended: a reading is that far off
LARGEST_TICKS = 50  # by which work has grown where it is counted so; with 10, 7 in 100 n² pass for n log n, now none
LARGEST_BYTES = 256 * 1024 * 1024  # by which memory has grown at the largest: far from what a kernel may take
CACHES_DOUBT = 0.03  # share of a time by which it may leave its law: what calls find in the caches changes with size
ROOM_DOUBT = 0.05  # share of grown memory by which it may: lists and tables make room for more than they hold
OVERHEAD_DOUBT = 0.1  # share by which null calls of two kernels of the same notebook were seen to differ
REUSED_BYTES = 1024 * 1024  # that a kernel at rest holds free: what a call takes of them raises no peak


@dataclass(frozen=True, slots=True)
class Collected:
    """Costs of the submission and of the baseline on the same inputs."""

    subject: Costs
    baseline: Costs
    null: Array  # (K,): what a call without work costs, already taken off
    spare: float  # memory: what the submission's kernel holds at rest beyond the baseline's


@dataclass
class Pair:
    """A submission and its baseline, asked the same things."""

    subject: Timed
    baseline: Baseline
    draw: Draw
    rng: np.random.Generator
    same: Same
    ticked: bool = False  # whether any of the work was counted in ticks
    _fresh: dict[int, Fresh] = field(default_factory=dict)

    def inputs(self, n: int) -> Arguments:
        """Arguments of size `n` that were not used before."""
        if n not in self._fresh:
            self._fresh[n] = Fresh(lambda rng: self.draw(n, rng), self.rng)
        return self._fresh[n].take(1)[0]

    def time(self, n: int) -> tuple[float, float, float]:
        """CPU seconds of the submission, of the baseline, and of a null call, for one input of size `n`."""
        arguments = self.inputs(n)
        before = self.subject.reading()
        answer = self.subject.timed(*arguments).value
        theirs = visit(self.baseline, [arguments])
        null = without_work(self.baseline, [arguments], theirs.answers)
        after = self.subject.reading()
        spent = between(before, after)
        self.ticked |= after.ticked_s > before.ticked_s or theirs.after.ticked_s > theirs.before.ticked_s
        self.same(answer, theirs.answers[0])
        return spent.cpu_s, theirs.spent.cpu_s, null.cpu_s

    def memory(self, n: int) -> tuple[float, float, float]:
        """The same in bytes: peaks of both kernels, and what a null call adds to the baseline's."""
        arguments = self.inputs(n)
        mine = visit(self.subject, [arguments])
        at_rest = rest(self.baseline)
        self.baseline.null(arguments, mine.answers[0])
        null = max(0.0, peak(self.baseline) - at_rest)
        theirs = visit(self.baseline, [arguments])
        self.same(mine.answers[0], theirs.answers[0])
        return float(mine.after.peak_memory_bytes), float(theirs.after.peak_memory_bytes), null


def peak(function: Timed) -> float:
    """Bytes that the kernel held at most since the last reading.

    Raises:
        InfrastructureError: the system does not tell.
    """
    held_bytes = function.reading().peak_memory_bytes
    if held_bytes <= 0:
        raise InfrastructureError(
            "growth of memory: this system does not say how much a kernel held at its peak",
            remedy="Use Linux with CONFIG_PROC_PAGE_MONITOR, or measure the growth of time.",
        )
    return float(held_bytes)


def rest(function: Timed) -> float:
    """Bytes that the kernel holds while nothing is asked of it."""
    function.reading()
    return peak(function)


def times(pair: Pair, smallest: int, largest: int) -> Collected:
    """Costs in CPU seconds at sizes chosen so that the work can be seen, in rounds of shuffled order."""
    sizes = _timed_sizes(pair, smallest, largest)
    ticked = pair.ticked
    found = np.empty((ROUNDS, len(sizes), 3))
    for each in found:
        for place in pair.rng.permutation(len(sizes)):
            each[place] = pair.time(int(sizes[place]))
    if pair.ticked and not ticked:
        return times(pair, smallest, largest)  # the first children came late: these sizes were chosen without ticks
    null = np.median(found[:, :, 2], axis=0)
    grain_s = TICK_S if ticked else 0.0
    mine, theirs = (_time_costs(sizes, found[:, :, which] - null, null, grain_s) for which in (0, 1))
    return Collected(mine, theirs, null, spare=0.0)


def _time_costs(sizes: Array, figures: Array, null: Array, grain_s: float) -> Costs:
    shares = np.hypot(OVERHEAD_DOUBT * null, CACHES_DOUBT * np.median(figures, axis=0))
    doubt = np.hypot(shares, grain_s)  # rounds do not show a grain: most of them may be rounded alike
    return Costs(sizes, figures, doubt)


def _timed_sizes(pair: Pair, smallest: int, largest: int) -> Array:
    """From the first size whose work shows to the first at which it has grown enough, found by doubling.

    Grown, not large: with seconds burned in every call, however small, sizes would end where growth drowns in them.
    """
    pair.time(smallest)  # warms up: imports, caches of the libraries and of the processor
    tried, works = [smallest], [_work_s(pair, smallest)]
    while tried[-1] < largest:
        enough_s = LARGEST_TICKS * TICK_S if pair.ticked else LARGEST_S
        grown_s = works[-1] - works[0]
        if grown_s >= max(enough_s, works[0]) and tried[-1] >= LEAST_SPAN * smallest:
            break
        tried.append(min(2 * tried[-1], largest))
        works.append(_work_s(pair, tried[-1]))
    least_s = TICK_S if pair.ticked else SMALLEST_S
    first = next((n for n, work_s in zip(tried, works, strict=True) if work_s >= least_s), smallest)
    return spread_sizes(max(smallest, min(first, tried[-1] // LEAST_SPAN)), tried[-1])


def _work_s(pair: Pair, n: int) -> float:
    mine_s, _, null_s = pair.time(n)
    return mine_s - null_s


def memories(pair: Pair, smallest: int, largest: int) -> Collected:
    """Costs in bytes, sizes rising: what an allocator keeps from a smaller call is part of what a larger one needs."""
    for _ in range(2):
        pair.memory(smallest)  # warms up
    mine_at_rest, theirs_at_rest = rest(pair.subject), rest(pair.baseline)
    rows: list[list[tuple[float, float, float]]] = []
    sizes = spread_sizes(smallest, largest)
    for n in sizes:
        rows.append([pair.memory(int(n)) for _ in range(MEMORY_ROUNDS)])
        if len(rows) >= FEWEST_SIZES and min(rows[-1])[0] - min(rows[0])[0] > LARGEST_BYTES:
            break
    found = np.array(rows).transpose(1, 0, 2)  # (R, K, 3)
    null = np.median(found[:, :, 2], axis=0)
    reached = sizes[: len(rows)]
    mine = _memory_costs(reached, found[:, :, 0] - mine_at_rest - null, null)
    theirs = _memory_costs(reached, found[:, :, 1] - theirs_at_rest - null, null)
    return Collected(mine, theirs, null, spare=mine_at_rest - theirs_at_rest)


def _memory_costs(sizes: Array, figures: Array, null: Array) -> Costs:
    """In doubt is a share of what memory has grown by, not of what it is: taken in every call, it would hide growth."""
    typical = np.median(figures, axis=0)
    doubt = np.hypot(OVERHEAD_DOUBT * null + REUSED_BYTES, ROOM_DOUBT * (typical - typical.min()))
    return Costs(sizes, figures, doubt)


def spread_sizes(smallest: int, largest: int) -> Array:
    """Sizes in equal ratios.

    Raises:
        ConfigurationError: there are too few, or they lie too close together.
    """
    apart = smallest >= 2 and LEAST_SPAN * smallest <= largest
    sizes = np.unique(np.round(np.geomspace(smallest, largest, N_SIZES))) if apart else np.empty(0)
    if len(sizes) < FEWEST_SIZES:
        raise ConfigurationError(
            f"growth: sizes from {smallest} to {largest} are impossible",
            remedy=f"Start at 2 or more and end at {LEAST_SPAN} times that or more, with {FEWEST_SIZES} sizes between.",
        )
    return sizes
