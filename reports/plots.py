"""Figures of the leaderboard as geometry: values with their intervals, a row each, and one quantity against another.

A ruler shows where most are: what lies far outside is marked at its edge, so that one odd entry does not press all
others into a corner. Not covered: colours, words and numbers beside the figures (`templates/leaderboard.html`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from reports.axes import Axis

FENCE = 3.0  # quartile distances beyond the quartiles: what is further out is "far out" in Tukey's sense
FEWEST = 4  # values that have quartiles worth the name
TICKS = 6  # at most so many steps on a linear ruler: labels fit beside each other
STEPS = (1.0, 2.0, 5.0, 10.0)  # between ticks, times a power of ten

FOREST_WIDTH, ROW_HEIGHT, HEAD_HEIGHT = 240.0, 36.0, 44.0  # SVG units, which are CSS pixels here
SCATTER_WIDTH, SCATTER_HEIGHT = 640.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 20.0, 20.0, 46.0  # margins of the scatter plot: labels of the ticks and the axes

Triple = tuple[float, float, float]  # value, and the ends of its interval
Pair = tuple[float, float]  # across, up


@dataclass(frozen=True, slots=True)
class Tick:
    """A number on a ruler."""

    value: float
    at: float  # SVG units


@dataclass(frozen=True, slots=True)
class Ruler:
    """An axis laid over a range of SVG units."""

    axis: Axis
    start: float
    end: float  # below `start` for a ruler that goes up

    def at(self, value: float) -> float:
        """Where `value` is drawn; at the edge when it lies outside."""
        return round(self.start + self.axis.at(value) * (self.end - self.start), 1)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Round numbers all along it."""
        return tuple(Tick(value, self.at(value)) for value in _round_numbers(self.axis))


@dataclass(frozen=True, slots=True)
class Mark:
    """A value and its interval on a horizontal ruler."""

    x: float
    low_x: float
    high_x: float
    beyond: int  # -1: the value lies left of the ruler, 1: right of it, 0: on it


@dataclass(frozen=True, slots=True)
class Forest:
    """One mark a row, over one ruler, with the lines that run through all rows."""

    ruler: Ruler
    marks: tuple[Mark, ...]
    lines: tuple[float | None, ...]  # where each reference value runs; None: it is not known
    width: float = FOREST_WIDTH
    row_height: float = ROW_HEIGHT
    head_height: float = HEAD_HEIGHT


@dataclass(frozen=True, slots=True)
class Dot:
    """One point of a scatter plot."""

    x: float
    y: float
    number: int | None  # beside it, from 1; None: it is not on the front


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points over two rulers, and the line along their front."""

    across: Ruler
    up: Ruler
    dots: tuple[Dot, ...]  # those of the front last, so that they lie on top
    line: str  # `points` of an SVG polyline
    left_out: int  # points far outside, drawn nowhere
    width: float = SCATTER_WIDTH
    height: float = SCATTER_HEIGHT


def forest(entries: Sequence[Triple], references: Sequence[float | None], *, logarithmic: bool = False) -> Forest:
    """The marks of `entries` (at least one), and lines at `references`, which are on the ruler wherever they are."""
    values = [value for value, _, _ in entries]
    low, high = _fences(values)
    near = [value for value in values if low <= value <= high]
    known = [reference for reference in references if reference is not None]
    ends = [end for value, *ends in entries if low <= value <= high for end in ends]
    ruler = Ruler(Axis.over([*near, *known], logarithmic=logarithmic, others=ends), 0.0, FOREST_WIDTH)
    marks = tuple(_mark(entry, ruler) for entry in entries)
    lines = tuple(None if reference is None else ruler.at(reference) for reference in references)
    return Forest(ruler, marks, lines)


def scatter(
    front: Sequence[Pair], rest: Sequence[Pair], *, low_is_better: bool, logarithmic: tuple[bool, bool] = (False, False)
) -> Scatter:
    """Points of a front, numbered from 1 in the order given (at least one), and of the rest.

    Args:
        front: points that nothing dominates.
        rest: the others; those that lie far from most are left out.
        low_is_better: whether a low value across is the good one. The line then runs level up to the next point and
            there to its height: what is reached with what it takes. Else the other way round.
        logarithmic: whether the scales of the values across and up are.
    """
    everything = [*front, *rest]
    (left, right), (bottom, top) = (_fences([point[i] for point in everything]) for i in (0, 1))
    near = [point for point in rest if left <= point[0] <= right and bottom <= point[1] <= top]
    drawn = [*front, *near]
    across = Ruler(Axis.over([x for x, _ in drawn], logarithmic=logarithmic[0]), LEFT, SCATTER_WIDTH - RIGHT)
    up = Ruler(Axis.over([y for _, y in drawn], logarithmic=logarithmic[1]), SCATTER_HEIGHT - BOTTOM, TOP)
    behind = [Dot(across.at(x), up.at(y), None) for x, y in near]
    numbered = [Dot(across.at(x), up.at(y), i) for i, (x, y) in enumerate(front, 1)]
    line = _stairs(sorted({(dot.x, dot.y) for dot in numbered}), level_first=low_is_better)
    return Scatter(across, up, (*behind, *numbered), line, left_out=len(rest) - len(near))


def _fences(values: Sequence[float]) -> tuple[float, float]:
    """Beyond these, values are far from most of the others; all are near where there are too few to tell."""
    if len(values) < FEWEST:
        return min(values), max(values)
    lower, _, upper = quantiles(values, method="inclusive")
    reach = FENCE * (upper - lower) or math.inf
    return lower - reach, upper + reach


def _mark(entry: Triple, ruler: Ruler) -> Mark:
    value, low, high = entry
    beyond = 0
    if not ruler.axis.shows(value):
        beyond = -1 if ruler.at(value) == ruler.start else 1
    return Mark(ruler.at(value), ruler.at(low), ruler.at(high), beyond)


def _round_numbers(axis: Axis) -> list[float]:
    """Numbers that people count with, from one end of `axis` to the other."""
    if not axis.logarithmic:
        return _multiples(axis.low, axis.high)
    low, high = math.exp(axis.low), math.exp(axis.high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    rounds = [number for power in powers for step in STEPS[:-1] if low <= (number := step * 10.0**power) <= high]
    if len(rounds) > 2 * TICKS:
        rounds = [10.0**power for power in powers[:: 1 + len(powers) // TICKS] if 10.0**power >= low]
    return rounds if len(rounds) > 2 else _multiples(low, high)


def _multiples(low: float, high: float) -> list[float]:
    least = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * step for step in STEPS if power * step >= least * (1 - 1e-9))  # 1e-9: rounding of the division
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _stairs(points: Sequence[Pair], *, level_first: bool) -> str:
    corners: list[Pair] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]) if level_first else (corners[-1][0], y))
        corners.append((x, y))
    return " ".join(f"{x},{y}" for x, y in corners)
