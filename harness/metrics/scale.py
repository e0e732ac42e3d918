"""From a metric's value to points: piecewise linear between named anchors, and nothing else.

Not covered: where the anchors' values come from; an assignment states or computes them.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from harness.errors import ConfigurationError
from harness.records import BASELINE, ORACLE, Anchor, Better, Text

FLOOR = Text("plancher", "floor")


@dataclass(frozen=True, slots=True)
class Scale:
    """Shares of the points at the anchors, straight lines between them, the ends beyond.

    Anchors stand from worst to best. With `logarithmic`, lines are straight in the logarithm of the value, as ratios
    of times ask for: twice as fast and half as fast are then equally far from 1.

    >>> scale = Scale.between(baseline=3.0, oracle=2.0)
    >>> [scale.share(bits_per_byte) for bits_per_byte in (3.5, 3.0, 2.25, 1.5)]
    [0.0, 0.0, 0.75, 1.0]
    """

    anchors: tuple[Anchor, ...]
    logarithmic: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no scale.

        Raises:
            ConfigurationError: fewer than two anchors, values that do not go one way, or shares that fall.
        """
        values = [anchor.value for anchor in self.anchors]
        shares = [anchor.share for anchor in self.anchors]
        least = 0.0 if self.logarithmic else -math.inf
        if len(values) < 2 or not all(math.isfinite(value) and value > least for value in values):
            raise _wrong(
                f"its values are {values}", "Give two finite anchors or more, above 0 where it is logarithmic."
            )
        if not (_rises(values) or _rises(values[::-1])):
            raise _wrong(f"its values are {values}", "Let them go one way, from the worst anchor to the best.")
        if not all(0 <= share <= 1 for share in shares) or any(left > right for left, right in pairwise(shares)):
            raise _wrong(f"its shares are {shares}", "Let them rise within 0 and 1.")
        if not shares[-1]:
            raise _wrong("none of its anchors earns anything", "Give the best anchor a share above 0.")

    @classmethod
    def between(cls, *, baseline: float, oracle: float, logarithmic: bool = False) -> Self:
        """Nothing at the baseline, everything at the oracle: the share of what can be learned."""
        return cls((Anchor(BASELINE, baseline, 0.0), Anchor(ORACLE, oracle, 1.0)), logarithmic)

    @classmethod
    def of(cls, anchors: Sequence[tuple[Text, float, float]], *, logarithmic: bool = False) -> Self:
        """From (name, value, share of the points), worst first."""
        return cls(tuple(Anchor(*anchor) for anchor in anchors), logarithmic)

    @property
    def better(self) -> Better:
        """Which way the anchors go."""
        return Better.HIGHER if self.anchors[-1].value > self.anchors[0].value else Better.LOWER

    def share(self, value: float) -> float:
        """The share of the points, 0 to 1, that `value` earns.

        Raises:
            ValueError: `value` is no number; what could not be measured has no share.
        """
        if math.isnan(value):
            raise ValueError("value: expected a number, got nan")
        places = [self._place(anchor.value) for anchor in self.anchors]
        shares = [anchor.share for anchor in self.anchors]
        place = self._place(value)
        if place <= places[0]:
            return shares[0]
        if place >= places[-1]:
            return shares[-1]
        right = bisect_right(places, place)
        left = right - 1
        along = (place - places[left]) / (places[right] - places[left])
        return shares[left] + along * (shares[right] - shares[left])

    def _place(self, value: float) -> float:
        """Rises as the value gets better."""
        if self.logarithmic:
            value = math.log(value) if value > 0 else -math.inf
        return value if self.better is Better.HIGHER else -value


def _rises(values: Sequence[float]) -> bool:
    return all(left < right for left, right in pairwise(values))


def _wrong(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"a scale is impossible: {what}", remedy=remedy)
