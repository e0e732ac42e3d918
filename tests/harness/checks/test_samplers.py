"""The test of draws: never a right sampler, always a wrong one, and the power that it promises."""

from typing import Any

import numpy as np
import pytest

from harness.checks.failures import Mismatch
from harness.checks.samplers import AlphaBudget, departure
from harness.records import Outcome
from harness.statistics import detectable, shifted

P = {"a": 0.5, "b": 0.3, "c": 0.2}


def draws(rng: np.random.Generator, p: dict[str, float], n: int) -> list[str]:
    return rng.choice(list(p), p=list(p.values()), size=n).tolist()


def test_a_right_sampler_passes() -> None:
    rng = np.random.default_rng(0)
    assert departure(draws(rng, P, 5000), P) is None
    assert departure([], P) is None
    assert departure(rng.integers(6, size=5000), np.full(6, 1 / 6)) is None


def test_a_wrong_sampler_is_told_where() -> None:
    found = departure(["a"] * 500 + ["b"] * 480 + ["c"] * 20, P)
    assert found is not None
    assert found.en.startswith("'c' was drawn 20 times out of 1000; about 200 were expected.")
    assert "'c' est tiré 20 fois sur 1000" in found.fr


@pytest.mark.parametrize("samples", [None, 3, [[1]], {"a": 1}])
def test_what_is_no_list_of_draws_is_wrong(samples: Any) -> None:
    assert departure(samples, P) is not None


def test_the_impossible_is_wrong_at_once() -> None:
    found = departure(["a", "z"], P)
    assert found is not None
    assert found.en == "'z' was drawn; its probability is 0."
    assert departure(["a", "z"], {"a": 0.5, "b": 0.5, "z": 0.0}) is not None


def test_probabilities_must_add_up() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        departure(["a"], {"a": 0.5})


def test_an_assignment_cannot_spend_more_than_its_share() -> None:
    budget = AlphaBudget()
    for _ in range(10):
        budget(["a", "b"], P)
    with pytest.raises(ValueError, match="more than 1e-06"):
        budget(["a", "b"], P)


def test_the_fixture_judges_what_a_notebook_draws(mark: Any) -> None:
    source = """
    @check(points=1, fr="Tirer", en="Draw")
    def test_draw(submission, same_distribution, rng):
        drawn = submission.draw(2000, int(rng.integers(2**31)))
        same_distribution(drawn, {0: 0.25, 1: 0.75}, what="draw(2000, seed)")
    """
    right = mark(source, draw=lambda n, seed: np.random.default_rng(seed).binomial(1, 0.75, size=n))["draw"]
    wrong = mark(source, draw=lambda n, seed: np.random.default_rng(seed).binomial(1, 0.5, size=n))["draw"]
    assert (right.outcome, wrong.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert wrong.message.en.startswith("`draw(2000, seed)`: ")


@pytest.mark.parametrize("k", [2, 40])
def test_the_promised_power_holds_on_other_draws(k: int) -> None:
    weights = np.random.default_rng(k).random(k) + 0.2
    p = weights / weights.sum()
    n, trials = 5000, 400
    distance = detectable(p.tolist(), n)
    assert 0.01 < distance < 0.2
    rng = np.random.default_rng(99)
    q = shifted(p, distance)
    caught = sum(departure(rng.choice(k, p=q, size=n), p.tolist()) is not None for _ in range(trials))
    assert caught >= 0.97 * trials  # 0.99 less three standard deviations of 400 and of the 1000 simulated trials
    halved = shifted(p, distance / 3)
    assert departure(rng.choice(k, p=halved, size=n), p.tolist()) is None


def test_a_right_sampler_is_rejected_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(5)
    p = [0.4, 0.3, 0.2, 0.05, 0.05]
    rejected = sum(departure(rng.choice(5, p=p, size=300), p, alpha=0.05) is not None for _ in range(2000))
    assert rejected <= 0.05 * 2000


def test_a_rejection_is_a_mismatch() -> None:
    with pytest.raises(Mismatch):
        AlphaBudget()(["a"] * 100, P)
