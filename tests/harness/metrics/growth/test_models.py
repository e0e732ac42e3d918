"""Laws of growth: recognised from costs whose law is known, with the error rates that are promised."""

import numpy as np
import pytest

from harness.metrics.growth.costs import CACHES_DOUBT
from harness.metrics.growth.models import CLASSES, Costs, fit, slope

DRAWS = 300
WIDE = np.round(np.geomspace(128, 16384, 7))
EXPONENTS = {"n": (1.0, 128), "n^2": (2.0, 16), "n^3": (3.0, 8)}  # and the span that fits into the time


def exact(name, sizes=WIDE, *, overhead=0.0):
    figures = CLASSES[name](sizes) / CLASSES[name](sizes).max() * 0.1 + overhead
    return Costs(sizes, np.tile(figures, (7, 1)), CACHES_DOUBT * figures)


def noisy(name, rng, *, noise=0.05, step=0.05, sizes=WIDE):
    """Each call up to a few times `noise` longer, never shorter; caches end somewhere, and cost `step` more beyond."""
    figures = exact(name, sizes).figures
    ends = np.exp(rng.uniform(np.log(sizes[0]), np.log(sizes[-1])))
    caches = 1 + step / (1 + (ends / sizes) ** 2)
    late = 1 + noise * np.abs(rng.standard_normal(figures.shape))
    overhead = 1e-4 * rng.standard_normal() + 2e-4 * rng.standard_normal(figures.shape)
    noisy = figures * caches * late + overhead
    return Costs(sizes, noisy, np.hypot(2e-4, CACHES_DOUBT * np.median(noisy, axis=0)))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("overhead", [0.0, 0.01])
def test_exact_costs_are_recognised_whatever_their_overhead(name, overhead):
    law = fit(exact(name, overhead=overhead))
    assert law.name == name
    if name != "1":
        assert law.constant == pytest.approx(overhead, abs=1e-4)
        assert law.likelihoods[law.runner_up] < 0.01


@pytest.mark.parametrize("name", ["log n", "n", "n log n", "n^2", "n^3"])
def test_noisy_costs_are_taken_for_another_class_in_less_than_1_of_100_draws(name):
    rng = np.random.default_rng(0)
    found = [fit(noisy(name, rng)).name for _ in range(DRAWS)]
    assert found.count(name) >= 0.99 * DRAWS


@pytest.mark.parametrize("name", CLASSES)
def test_a_kept_promise_is_called_broken_in_less_than_1_of_100_draws_though_caches_cost_a_tenth(name):
    rng = np.random.default_rng(1)
    kept = [fit(noisy(name, rng, noise=0.1, step=0.1)).within(name) > 1e-3 for _ in range(DRAWS)]
    assert sum(kept) >= 0.99 * DRAWS


@pytest.mark.parametrize(("name", "promised"), [("n^2", "n log n"), ("n^2", "n"), ("n log n", "n"), ("n", "1")])
def test_a_broken_promise_is_called_kept_in_less_than_1_of_100_draws(name, promised):
    rng = np.random.default_rng(2)
    kept = [fit(noisy(name, rng)).within(promised) > 1e-3 for _ in range(DRAWS)]
    assert sum(kept) <= 0.01 * DRAWS


@pytest.mark.parametrize("name", EXPONENTS)
def test_the_interval_of_the_slope_covers_the_exponent(name):
    exponent, span = EXPONENTS[name]
    rng = np.random.default_rng(3)
    draws = [noisy(name, rng, step=0.0, sizes=np.geomspace(128, 128 * span, 7)) for _ in range(DRAWS)]
    lines = [slope(costs, fit(costs)) for costs in draws]
    assert sum(line.low <= exponent <= line.high for line in lines) >= 0.95 * DRAWS
    assert np.mean([line.high - line.low for line in lines]) < 0.4


def test_a_disturbed_round_moves_nothing():
    calm = noisy("n log n", np.random.default_rng(4))
    disturbed = calm.figures.copy()
    disturbed[2] *= 3
    disturbed[5, 3] += 1.0
    costs = Costs(calm.sizes, disturbed, calm.doubt)
    assert fit(costs).name == "n log n"
    np.testing.assert_allclose(costs.typical, calm.typical, rtol=0.1)


def test_the_slope_is_that_of_what_grows():
    costs = exact("n", overhead=0.01)
    assert slope(costs, fit(costs)).value == pytest.approx(1.0, abs=0.01)


def test_a_constant_cost_has_slope_0_and_is_sure_of_it():
    costs = exact("1")
    line = slope(costs, fit(costs))
    assert line.value == pytest.approx(0.0, abs=1e-9)
    assert line.high - line.low < 0.1


def test_what_is_too_small_to_be_seen_has_slope_0_and_a_wide_interval():
    noise = 1e-5 * np.random.default_rng(5).standard_normal((7, 7))
    costs = Costs(WIDE, noise, np.full(7, 1e-3))
    line = slope(costs, fit(costs))
    assert line.value == pytest.approx(0.0, abs=0.05)
    assert line.low < -0.3
    assert line.high > 0.3


def test_a_law_of_no_class_is_not_called_certain():
    """n^1.5 lies between two classes: residuals beyond the spread widen it."""
    figures = np.tile(WIDE**1.5 / WIDE[-1] ** 1.5, (7, 1))
    law = fit(Costs(WIDE, figures, np.full(7, 1e-6)))
    assert law.likelihoods[law.runner_up] > 1e-4
