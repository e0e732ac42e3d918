"""From joules to grams of CO2 equivalent, with the intensity of the grid that the assignment states.

There is no default: intensity differs by a factor of twenty between countries and by two between years. Not covered:
making the hardware, cooling, and the share of a machine that idles for everyone.
"""

import math
from dataclasses import dataclass

from harness.errors import ConfigurationError
from harness.records import Fact, Text

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Grid:
    """How much CO2 equivalent a kilowatt-hour stands for, and who says so."""

    g_per_kwh: float
    where: Text  # "France"
    year: int  # that the figure is of
    source: str  # who published it

    def __post_init__(self) -> None:
        """Refuse what is no intensity.

        Raises:
            ConfigurationError: not a finite number from 0 on, or no source.
        """
        if not (math.isfinite(self.g_per_kwh) and self.g_per_kwh >= 0) or not self.source.strip():
            raise ConfigurationError(
                f"energy: a grid of {self.g_per_kwh!r} g/kWh from source {self.source!r} is impossible",
                remedy="Give grams of CO2 equivalent per kilowatt-hour, and who published them.",
            )

    def grams(self, joules: float) -> float:
        """Grams of CO2 equivalent.

        >>> Grid(50.0, Text("ici", "here"), 2024, "example").grams(7.2e6)
        100.0
        """
        return joules / JOULES_PER_KWH * self.g_per_kwh

    def fact(self) -> Fact:
        """The figure, its place, year and source, in words."""
        fr = f"intensité du réseau électrique, {self.where.fr}, {self.year} ({self.source})"
        en = f"intensity of the electricity grid, {self.where.en}, {self.year} ({self.source})"
        return Fact(Text(fr, en), self.g_per_kwh, "gCO2e/kWh")
