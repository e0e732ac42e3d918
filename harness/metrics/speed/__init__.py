"""How fast a submission is, as a ratio to the baseline, on the grader's clock (docs/metrics/speed.md).

`measure` is all that a check needs; `blocks` holds the timed calls that growth and energy are built on as well.
Not covered: growth with size, memory, energy (packages of their own).
"""

from harness.metrics.speed.measure import measure
from harness.metrics.speed.settings import Settings

__all__ = ["Settings", "measure"]
