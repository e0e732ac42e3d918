"""Scaling laws: known constants come back, SciPy's curve_fit agrees, the optimum is that of a search."""

import math

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize_scalar

from reference.evaluation import ScalingLaw, fit_scaling_law

PUBLISHED = ScalingLaw(entropy=1.69, a=406.4, alpha=0.34, b=410.7, beta=0.28)  # Hoffmann et al. 2022, equation 10
LAWS = [PUBLISHED, ScalingLaw(entropy=0.5, a=30.0, alpha=0.2, b=2000.0, beta=0.5)]


def study(law: ScalingLaw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five sizes and five lengths of training, without noise."""
    n, d = (grid.ravel() for grid in np.meshgrid(np.logspace(6, 10, 5), np.logspace(8, 11, 5)))
    return n, d, np.array([law.loss(*run) for run in zip(n.tolist(), d.tolist(), strict=True)])


def constants(law: ScalingLaw) -> list[float]:
    return [law.entropy, math.log(law.a), law.alpha, math.log(law.b), law.beta]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_known_constants_come_back(law, proof) -> None:
    proof(fit_scaling_law, "known constants").close(
        constants(fit_scaling_law(*study(law))), constants(law), within=1e-8
    )


def test_with_little_noise_it_is_the_least_squares_of_log_losses(proof, rng) -> None:
    """Residuals far below the Huber threshold: SciPy's curve_fit minimises the same sum."""
    n, d, losses = study(PUBLISHED)
    losses *= np.exp(1e-4 * rng.standard_normal(len(losses)))

    def log_law(runs, e, log_a, alpha, log_b, beta):
        return np.log(e + np.exp(log_a - alpha * np.log(runs[0])) + np.exp(log_b - beta * np.log(runs[1])))

    start = constants(LAWS[1])
    theirs, _ = curve_fit(log_law, (n, d), np.log(losses), p0=start, xtol=1e-15, ftol=1e-15, gtol=1e-15, maxfev=10**5)
    proof(fit_scaling_law, "scipy curve_fit").close(constants(fit_scaling_law(n, d, losses)), theirs, within=1e-6)


def test_one_wild_run_moves_little(rng) -> None:
    n, d, losses = study(PUBLISHED)
    losses[7] *= 1.5
    assert np.allclose(constants(fit_scaling_law(n, d, losses)), constants(PUBLISHED), rtol=0.02)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_loss_and_compute_optimum(law, proof) -> None:
    proof(ScalingLaw, "by hand").close(
        law.loss(4.0, 9.0), law.entropy + law.a * 4.0**-law.alpha + law.b * 9.0**-law.beta, within=1e-15
    )
    for flops in (1e18, 1e24):
        n, d = law.compute_optimal(flops)
        assert 6 * n * d == pytest.approx(flops, rel=1e-12)

        def loss(log_n: float, flops: float = flops) -> float:
            return law.loss(math.exp(log_n), flops / 6 / math.exp(log_n))

        searched = minimize_scalar(loss, bracket=(10, 25), tol=1e-12).x
        within = 1e-6  # a search sees the minimum to the square root of rounding
        proof(ScalingLaw, "scipy minimize_scalar").close(math.log(n), searched, within=within)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entropy": -1.0}, "entropy: expected a finite number above 0, got -1.0"),
        ({"alpha": 0.0}, "alpha: expected a finite number above 0, got 0.0"),
        ({"b": math.inf}, "b: expected a finite number above 0, got inf"),
    ],
)
def test_laws_that_cannot_be(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        ScalingLaw(**({"entropy": 0.0, "a": 1.0, "alpha": 1.0, "b": 1.0, "beta": 1.0} | change))


@pytest.mark.parametrize(
    "call",
    [lambda: PUBLISHED.loss(0.0, 1.0), lambda: PUBLISHED.loss(1.0, math.nan), lambda: PUBLISHED.compute_optimal(-1.0)],
)
def test_sizes_that_cannot_be(call) -> None:
    with pytest.raises(ValueError, match="expected a finite number above 0, got"):
        call()


def test_studies_that_cannot_be_fitted() -> None:
    n, d, losses = study(PUBLISHED)
    with pytest.raises(ValueError, match="R: expected 5 runs or more for 5 constants, got 4"):
        fit_scaling_law(n[:4], d[:4], losses[:4])
    with pytest.raises(ValueError, match="tokens: expected 3 values or more, got 1"):
        fit_scaling_law(n[:5], d[:5], losses[:5])
    with pytest.raises(ValueError, match="losses: expected finite numbers above 0, got nan"):
        fit_scaling_law(n, d, np.where(losses == losses.max(), np.nan, losses))
    with pytest.raises(ValueError, match="losses: expected to fall with N and D"):
        fit_scaling_law(n, d, 10 - losses)


def test_a_power_beyond_float64_leaves_the_loss_what_it_is() -> None:
    law = ScalingLaw(entropy=1.0, a=2.0, alpha=2.0, b=3.0, beta=2.0)
    assert law.loss(1e300, 1.0) == 4.0
    assert law.loss(1e-300, 1.0) == math.inf
    small = ScalingLaw(entropy=0.0, a=1e-320, alpha=2.0, b=1e-300, beta=1.0)
    assert small.loss(1e-162, 1e300) == pytest.approx(9999.89, rel=1e-5)  # a is subnormal: 4 digits are left of it
