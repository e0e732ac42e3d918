"""Energy of a call and the carbon it stands for, by counters or a labelled estimate (docs/metrics/energy.md)."""

from harness.metrics.energy.carbon import Grid
from harness.metrics.energy.known import controls
from harness.metrics.energy.measure import measure
from harness.metrics.energy.settings import Settings

__all__ = ["Grid", "Settings", "controls", "measure"]
