"""The simulation that every interval must pass."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.statistics import Interval

DRAWS = 2000  # the share of covering intervals is then within 1.2 % of the truth with probability 0.99


@pytest.fixture
def coverage() -> Callable[[Callable[[np.random.Generator], Interval], float], float]:
    """The share of repeated experiments whose interval holds the truth."""

    def share(experiment: Callable[[np.random.Generator], Interval], truth: float) -> float:
        rng = np.random.default_rng(4)
        found = [experiment(rng) for _ in range(DRAWS)]
        return float(np.mean([one.low <= truth <= one.high for one in found]))

    return share
