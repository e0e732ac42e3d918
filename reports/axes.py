"""Where values go on a drawn axis: linear or logarithmic, and clipped where they lie far beyond what it shows.

Not covered: bars, dots and labels on it (`figures`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

LOG_SPREAD = 10.0  # largest over smallest from which on a linear axis would press the small ones together
STRETCH = 0.5  # of the axis: how far values may lengthen it at each end before they are clipped
FARTHEST = 1e300  # sums and differences of places stay within float64
NEAREST = 1e-300  # to 0 that a single place may be and still measure its axis: nearer, padding would be lost
PADDING = 0.06  # of the axis, beyond its outermost values


@dataclass(frozen=True, slots=True)
class Axis:
    """From 0 (the smallest value shown) to 1 (the largest)."""

    low: float  # places, so logarithms on a logarithmic axis
    high: float
    logarithmic: bool

    @classmethod
    def over(cls, marks: Sequence[float], *, logarithmic: bool = False, others: Iterable[float] = ()) -> Self:
        """An axis that shows all `marks` (finite, at least one), and `others` as far as they do not lie far off.

        It is logarithmic where that is asked for or the marks lie far apart, if they have logarithms.
        """
        logarithmic = min(marks) > 0 and (logarithmic or max(marks) / min(marks) >= LOG_SPREAD)
        places = [_place(mark, logarithmic=logarithmic) for mark in marks]
        low, high = min(places), max(places)
        length = high - low or (abs(high) if abs(high) > NEAREST else 1.0)
        far = [_place(other, logarithmic=logarithmic) for other in others]
        low = min([low, *(max(place, low - STRETCH * length) for place in far)])
        high = max([high, *(min(place, high + STRETCH * length) for place in far)])
        return cls(low - PADDING * length, high + PADDING * length, logarithmic)

    def at(self, value: float) -> float:
        """The place of `value`, 0 to 1; what lies beyond is at the end."""
        place = min(self.high, max(self.low, _place(value, logarithmic=self.logarithmic)))
        return (place - self.low) / (self.high - self.low)

    def shows(self, value: float) -> bool:
        """Whether `value` lies on the axis itself."""
        return self.low <= _place(value, logarithmic=self.logarithmic) <= self.high


def _place(value: float, *, logarithmic: bool) -> float:
    if logarithmic:
        return math.log(value) if value > 0 else -FARTHEST
    return min(FARTHEST, max(-FARTHEST, value))
