"""From values to points."""

import math

import pytest

from harness.errors import ConfigurationError
from harness.metrics.scale import Scale
from harness.records import Better, Text

STEPS = [
    (Text("lent", "slow"), 0.5, 0.0),
    (Text("référence", "baseline"), 1.0, 0.5),
    (Text("rapide", "fast"), 4.0, 1.0),
]
SPEED = Scale.of(STEPS, logarithmic=True)


@pytest.mark.parametrize(
    ("value", "share"),
    [(9.0, 0.0), (3.0, 0.0), (2.75, 0.25), (2.5, 0.5), (2.0, 1.0), (-math.inf, 1.0), (math.inf, 0.0)],
)
def test_the_share_of_what_can_be_learned(value, share):
    assert Scale.between(baseline=3.0, oracle=2.0).share(value) == share


@pytest.mark.parametrize(
    ("value", "share"),
    [(0.0, 0.0), (-1.0, 0.0), (0.5, 0.0), (math.sqrt(0.5), 0.25), (1.0, 0.5), (2.0, 0.75), (9.0, 1.0)],
)
def test_a_logarithmic_scale_is_straight_in_the_logarithm(value, share):
    assert SPEED.share(value) == pytest.approx(share, abs=1e-12)


def test_better_follows_the_anchors():
    assert SPEED.better is Better.HIGHER
    assert Scale.between(baseline=3.0, oracle=2.0).better is Better.LOWER


def test_what_could_not_be_measured_has_no_share():
    with pytest.raises(ValueError, match="expected a number"):
        Scale.between(baseline=3.0, oracle=2.0).share(math.nan)


@pytest.mark.parametrize(
    "anchors",
    [
        [(1.0, 0.0)],
        [(1.0, 0.0), (1.0, 1.0)],
        [(1.0, 0.0), (3.0, 0.5), (2.0, 1.0)],
        [(1.0, 0.5), (2.0, 0.0)],
        [(1.0, 0.0), (2.0, 1.5)],
        [(1.0, 0.0), (2.0, 0.0)],
        [(1.0, 0.0), (math.inf, 1.0)],
        [(math.nan, 0.0), (1.0, 1.0)],
    ],
)
def test_what_is_no_scale_is_refused(anchors):
    with pytest.raises(ConfigurationError, match="a scale is impossible"):
        Scale.of([(Text("a", "a"), *anchor) for anchor in anchors])


def test_a_logarithmic_scale_starts_above_zero():
    with pytest.raises(ConfigurationError, match="above 0"):
        Scale.of([(Text("a", "a"), 0.0, 0.0), (Text("b", "b"), 1.0, 1.0)], logarithmic=True)
