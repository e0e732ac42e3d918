"""How sure a figure is: intervals, comparisons, ranks, and draws held against their distribution.

One idea a file: `intervals` (bootstrap), `ratios`, `medians`, `blocks`, `slopes`, `comparisons` (paired randomization,
Holm), `pairwise` (Bradley–Terry, Elo), `ranks`, `evalues`. Whether they keep what they promise is simulated in
tests/harness/statistics. Not covered: what is measured, and how it is shown.
"""

from harness.statistics.blocks import hierarchical_interval
from harness.statistics.comparisons import Comparison, compare, holm, paired_randomization
from harness.statistics.evalues import detectable, largest_shift, log_e_value, shifted
from harness.statistics.intervals import bca_interval, percentile_interval
from harness.statistics.medians import median_interval
from harness.statistics.pairwise import (
    ELO_PER_NAT,
    Rating,
    bradley_terry,
    bradley_terry_ratings,
    elo,
    elo_ratings,
    win_table,
)
from harness.statistics.ranks import shared_ranks
from harness.statistics.ratios import ratio_interval
from harness.statistics.slopes import Slope, fit_slope
from harness.statistics.units import LEVEL, Interval

__all__ = [
    "ELO_PER_NAT",
    "LEVEL",
    "Comparison",
    "Interval",
    "Rating",
    "Slope",
    "bca_interval",
    "bradley_terry",
    "bradley_terry_ratings",
    "compare",
    "detectable",
    "elo",
    "elo_ratings",
    "fit_slope",
    "hierarchical_interval",
    "holm",
    "largest_shift",
    "log_e_value",
    "median_interval",
    "paired_randomization",
    "percentile_interval",
    "ratio_interval",
    "shared_ranks",
    "shifted",
    "win_table",
]
