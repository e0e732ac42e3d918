"""Known energies, through the arithmetic of each meter. Not covered: whether a device's own counter is right."""

import math
from pathlib import Path

import numpy as np

from harness.errors import InfrastructureError
from harness.metrics.energy.carbon import Grid
from harness.metrics.energy.estimate import Estimate
from harness.metrics.energy.nvml import integrated
from harness.metrics.energy.rapl import Zone
from harness.records import Text

EXACT = 1e-12  # relative: sums of a hundred float64 values
NOBODY = Text("", "")


def controls() -> None:
    """A ramp of power, a counter that starts again from 0, watts times seconds, a kilowatt-hour of a known grid.

    Raises:
        InfrastructureError: one of them does not come out.
    """
    times = np.array([0.0, 0.1, 0.35, 1.0, 1.5, 4.0])  # samples come when they come
    zone = Zone("package-0", Path(), range_uj=1000)
    for what, found, known in (
        ("a ramp from 50 W, 30 W a second more, for 4 s", integrated(times, 50 + 30 * times), 440.0),
        ("a counter from 900 past its range of 1000 to 50", zone.difference_uj(900, 50), 150),
        ("a counter from 100 to 300", zone.difference_uj(100, 300), 200),
        ("8 W for 2.5 s of CPU time", Estimate(8.0, why=NOBODY).end(2.5), 20.0),
        ("1 kWh at 50 g", Grid(50.0, NOBODY, 2024, "control").grams(3.6e6), 50.0),
    ):
        if not math.isclose(found, known, rel_tol=EXACT):
            raise InfrastructureError(
                f"energy: {what} comes out as {found}, not {known}",
                remedy="Do not mark with this installation; run the tests of harness.metrics.energy.",
            )
