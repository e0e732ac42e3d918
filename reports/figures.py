"""Figures as geometry: where each bar and label goes. The templates draw them as inline SVG.

Not covered: colours and words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BARS = 10  # enough to see the shape of a class, few enough to read the counts
WIDTH, HEIGHT = 480.0, 190.0  # the whole drawing, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 12.0, 12.0, 34.0, 26.0  # margins: the counts and the median above, the scores below
GAP = 3.0  # between two bars


@dataclass(frozen=True, slots=True)
class Bar:
    """One range of scores and how many fall into it."""

    low: float
    high: float  # not part of the range, save for the last one
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A score on the horizontal axis."""

    score: float
    x: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores in equal ranges from 0 to the maximum."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    median_x: float
    width: float = WIDTH
    height: float = HEIGHT
    axis_y: float = HEIGHT - BOTTOM


def histogram(scores: Sequence[float], *, median: float, maximum: float) -> Histogram:
    """The histogram of `scores`, at least one, between 0 and `maximum` > 0; what lies outside counts at the ends."""
    edges = [maximum * i / BARS for i in range(BARS + 1)]
    counts = [0] * BARS
    for score in scores:
        counts[min(BARS - 1, max(0, int(score * BARS / maximum)))] += 1
    bars = [
        _bar(low, high, count, share=count / max(counts), maximum=maximum)
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    ]
    ticks = tuple(Tick(edge, _x(edge, maximum)) for edge in edges)
    return Histogram(tuple(bars), ticks, _x(min(maximum, max(0.0, median)), maximum))


def _bar(low: float, high: float, count: int, *, share: float, maximum: float) -> Bar:
    height = round(share * (HEIGHT - TOP - BOTTOM), 1)
    x = _x(low, maximum)
    width = round(_x(high, maximum) - x - GAP, 1)
    return Bar(low, high, count, round(x + GAP / 2, 1), round(HEIGHT - BOTTOM - height, 1), width, height)


def _x(score: float, maximum: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * score / maximum, 1)
