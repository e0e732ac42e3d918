"""Figures as geometry: where each bar and label goes. The templates draw them as inline SVG.

Not covered: colours and words.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.records import Anchor, Better, Metric
from reports.axes import Axis

BARS = 10  # enough to see the shape of a class, few enough to read the counts
WIDTH, HEIGHT = 480.0, 190.0  # the whole drawing, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 12.0, 12.0, 34.0, 26.0  # margins: the counts and the median above, the scores below
GAP = 3.0  # between two bars

SCALE_WIDTH = 360.0  # as wide as a phone: labels need not shrink there
SCALE_LEAST = 130.0  # height of the axis when there are few labels
LABEL = 19.0  # height of one label's line
AXIS_X, LABEL_X = 16.0, 52.0  # of a scale's axis and of its labels
END = 12.0  # above and below the axis
DIGITS = range(4, 11)  # significant ones: as few as tell anchors apart

STRIP_WIDTH, STRIP_HEIGHT = 320.0, 64.0
STRIP_BASE = 44.0  # the line that dots stand on
DOT = 7.0  # width of a dot


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


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text beside a scale's axis, and the place on the axis that it speaks of."""

    place: float  # y on the axis
    y: float  # of the text's middle: labels never overlap
    anchor: Anchor | None  # None: the value itself
    earns: bool  # whether the anchor belongs to the scale, so that points go with it


@dataclass(frozen=True, slots=True)
class ScaleFigure:
    """A metric's scale as an upright axis, the best on top, with the value on it."""

    labels: tuple[Label, ...]  # from top to bottom
    value_y: float | None  # None: there is no value to show
    beyond: int  # 1: the value lies beyond the top, -1: beyond the bottom, 0: on the axis
    interval: tuple[float, float] | None  # y of its ends; None: nothing uncertain to show
    digits: int  # significant ones, for the values of anchors
    logarithmic: bool
    height: float
    width: float = SCALE_WIDTH
    axis_x: float = AXIS_X
    label_x: float = LABEL_X
    top: float = END

    @property
    def bottom(self) -> float:
        """Where the axis ends."""
        return self.height - END


@dataclass(frozen=True, slots=True)
class Strip:
    """One dot a submission on an axis from small to large."""

    dots: tuple[tuple[float, float], ...]  # x and y of their centres
    low: float  # smallest and largest value
    high: float
    low_x: float
    high_x: float
    median_x: float
    quartiles_x: tuple[float, float]
    anchors_x: tuple[float, ...]  # those of the scale that lie between smallest and largest
    logarithmic: bool
    width: float = STRIP_WIDTH
    height: float = STRIP_HEIGHT
    base: float = STRIP_BASE
    radius: float = DOT / 2


@dataclass(frozen=True, slots=True)
class _Upright:
    """An axis that stands, the best on top."""

    axis: Axis
    better: Better
    length: float

    def y(self, value: float) -> float:
        up = self.axis.at(value) if self.better is Better.HIGHER else 1 - self.axis.at(value)
        return END + (1 - up) * self.length

    def beyond(self, value: float) -> int:
        if math.isnan(value) or self.axis.shows(value):
            return 0
        return 1 if self.y(value) < END + self.length / 2 else -1


def scale_figure(metric: Metric, references: Sequence[Anchor]) -> ScaleFigure | None:
    """The scale of `metric` with `references` beside it; None where there is neither."""
    marks = [(anchor, True) for anchor in metric.anchors] + [(reference, False) for reference in references]
    marks = [(anchor, earns) for anchor, earns in marks if math.isfinite(anchor.value)]
    if not marks:
        return None
    values = [anchor.value for anchor, _ in marks]
    own = [number for number in (metric.value, metric.low, metric.high) if not math.isnan(number)]
    axis = Axis.over(values, logarithmic=metric.logarithmic, others=own)
    upright = _Upright(axis, metric.better, length=max(SCALE_LEAST, (len(marks) + 1) * LABEL))
    # best first, as it is drawn: of anchors too close to tell apart, the better one stands above
    labels = [Label(upright.y(anchor.value), 0.0, anchor, earns) for anchor, earns in reversed(marks)]
    value_y = None if math.isnan(metric.value) else upright.y(metric.value)
    labels += [] if value_y is None else [Label(value_y, 0.0, None, earns=False)]
    return ScaleFigure(
        labels=_spread(labels, upright.length),
        value_y=value_y,
        beyond=upright.beyond(metric.value),
        interval=_interval(metric, upright),
        digits=_digits(values),
        logarithmic=axis.logarithmic,
        height=upright.length + 2 * END,
    )


def strip(
    values: Sequence[float], quartiles: Sequence[float], *, anchors: Sequence[Anchor], logarithmic: bool = False
) -> Strip:
    """The finite `values`, at least one, as dots, with their three `quartiles`."""
    axis = Axis.over(values, logarithmic=logarithmic)

    def x_of(value: float) -> float:
        return round(DOT + axis.at(value) * (STRIP_WIDTH - 2 * DOT), 1)

    low, high = min(values), max(values)
    return Strip(
        dots=_stacked([x_of(value) for value in sorted(values)]),
        low=low,
        high=high,
        low_x=x_of(low),
        high_x=x_of(high),
        median_x=x_of(quartiles[1]),
        quartiles_x=(x_of(quartiles[0]), x_of(quartiles[2])),
        anchors_x=tuple(x_of(anchor.value) for anchor in anchors if low <= anchor.value <= high),
        logarithmic=axis.logarithmic,
    )


def _interval(metric: Metric, upright: _Upright) -> tuple[float, float] | None:
    if math.isnan(metric.low) or math.isnan(metric.high) or metric.low == metric.high:
        return None
    upper, lower = sorted((upright.y(metric.low), upright.y(metric.high)))
    return upper, lower


def _digits(values: Sequence[float]) -> int:
    """Significant digits with which values that differ are written differently."""
    apart = len(set(values))
    enough = (digits for digits in DIGITS if len({f"{value:.{digits - 1}e}" for value in values}) == apart)
    return next(enough, DIGITS[-1])


def _spread(labels: Sequence[Label], length: float) -> tuple[Label, ...]:
    """Each label as near to its place as the others allow: pushed down by those above, then up from the end."""
    ordered = sorted(labels, key=lambda label: label.place)
    ys: list[float] = []
    for label in ordered:
        ys.append(max(label.place, ys[-1] + LABEL if ys else 0.0))
    limit = END + length
    for i in reversed(range(len(ys))):
        ys[i] = min(ys[i], limit)
        limit = ys[i] - LABEL
    return tuple(
        Label(label.place, round(y, 1), label.anchor, label.earns) for label, y in zip(ordered, ys, strict=True)
    )


def _stacked(xs: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Dots that would overlap stand on each other, closer where there are many."""
    columns = [round(x / DOT) for x in xs]
    tallest = max(Counter(columns).values())
    step = min(DOT, (STRIP_BASE - DOT) / max(1, tallest - 1))
    seen: Counter[int] = Counter()
    dots = []
    for column in columns:
        dots.append((column * DOT, round(STRIP_BASE - DOT / 2 - seen[column] * step, 1)))
        seen[column] += 1
    return tuple(dots)
