"""How time and memory grow with the size of the input, against what the statement promises (docs/metrics/growth.md)."""

from harness.metrics.growth.measure import Promise, controls, keeps, measure

__all__ = ["Promise", "controls", "keeps", "measure"]
