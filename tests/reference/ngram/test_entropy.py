"""Entropy and cross-entropy of sources against all texts listed, a closed form, and a long text."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import rel_entr

from reference.ngram import (
    AddK,
    Interpolated,
    MarkovSource,
    counts_by_order,
    cross_entropy_rate,
    entropy_rate,
    mean_nll,
    perplexity,
    sample_tokens,
    stationary_distribution,
    transition_array,
)

# means over at most 3^5 texts of sums of 5 logarithms of about 1: each rounding 1e-16, pairwise sums
WITHIN = 1e-14


def random_source(rng: np.random.Generator, order: int, size: int = 3) -> np.ndarray:
    weights: np.ndarray = rng.random((size,) * (order + 1)) + 0.05
    return weights / weights.sum(axis=-1, keepdims=True)


def block_entropy(source: MarkovSource, length: int) -> float:
    texts = product(source.vocabulary, repeat=length)
    probabilities = [math.prod(source.probabilities(list(text))) for text in texts]
    return math.fsum(-p * math.log(p) for p in probabilities if p)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_entropy_rate_is_what_one_more_token_adds_to_a_block(
    order: int, rng: np.random.Generator, proof: Callable
) -> None:
    transitions = random_source(rng, order)
    source = MarkovSource(transitions, "abc")
    added = block_entropy(source, order + 1) - block_entropy(source, order)
    proof(entropy_rate, "brute force over all texts").close(entropy_rate(transitions), added, within=WITHIN)


@pytest.mark.parametrize(("to_second", "to_first"), [(0.1, 0.3), (0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (1e-9, 0.5)])
def test_entropy_rate_of_two_states_has_a_closed_form(to_second: float, to_first: float, proof: Callable) -> None:
    chain = np.array([[1 - to_second, to_second], [to_first, 1 - to_first]])
    first, second = stats.bernoulli(to_second).entropy(), stats.bernoulli(to_first).entropy()
    closed = (to_first * first + to_second * second) / (to_first + to_second)
    proof(entropy_rate, "Cover and Thomas, section 4.2").close(entropy_rate(chain), float(closed), within=1e-15)


@pytest.mark.parametrize(("order", "other"), [(0, 0), (1, 1), (2, 2), (0, 2), (1, 0), (1, 3), (3, 1), (2, 1)])
def test_cross_entropy_rate_is_the_mean_over_all_texts(
    order: int, other: int, rng: np.random.Generator, proof: Callable
) -> None:
    """Of the last token, after as much context as either needs."""
    transitions, predicted = random_source(rng, order), random_source(rng, other)
    source, texts = MarkovSource(transitions, [0, 1, 2]), list(product(range(3), repeat=max(order, other) + 1))
    weights = [math.prod(source.probabilities(list(text))) for text in texts]
    costs = [-math.log(predicted[text[len(text) - other - 1 :]]) for text in texts]
    mean = math.fsum(weight * cost for weight, cost in zip(weights, costs, strict=True))
    ours = cross_entropy_rate(transitions, predicted)
    proof(cross_entropy_rate, "brute force over all texts").close(ours, mean, within=WITHIN)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_model_costs_the_entropy_and_its_divergence(order: int, rng: np.random.Generator, proof: Callable) -> None:
    transitions, predicted = random_source(rng, order), random_source(rng, order)
    divergence = (stationary_distribution(transitions) * rel_entr(transitions, predicted).sum(axis=-1)).sum()
    expected = entropy_rate(transitions) + divergence
    ours = cross_entropy_rate(transitions, predicted)
    proof(cross_entropy_rate, "entropy + scipy.special.rel_entr").close(ours, expected, within=WITHIN)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2), st.integers(0, 2), st.integers(1, 4))
def test_no_model_beats_the_source(seed: int, order: int, other: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    transitions, predicted = random_source(rng, order, size), random_source(rng, other, size)
    entropy = entropy_rate(transitions)
    assert 0 <= entropy <= math.log(size) + 1e-14
    assert cross_entropy_rate(transitions, predicted) >= entropy - 1e-14
    assert cross_entropy_rate(transitions, transitions) == pytest.approx(entropy, rel=1e-14, abs=1e-300)


def spread_of_the_mean(transitions: np.ndarray, costs: np.ndarray, n: int) -> float:
    """Exact standard deviation of the mean cost of n steps of a stationary chain of order 1, from its covariances."""
    size = len(transitions)
    pairs = (stationary_distribution(transitions)[:, None] * transitions).reshape(-1)  # of step t and step t + 1
    step = np.zeros((size, size, size, size))
    for x, y in product(range(size), repeat=2):
        step[x, y, y, :] = transitions[y]
    step = step.reshape(size**2, size**2)
    centred = costs.reshape(-1) - pairs @ costs.reshape(-1)
    variance, later = n * (pairs * centred) @ centred, centred
    for lag in range(1, 200):  # beyond, the covariance is below rounding: these chains forget at 0.9 a step
        later = step @ later
        variance += 2 * (n - lag) * (pairs * centred) @ later
    return math.sqrt(variance) / n


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_long_text_costs_a_model_about_the_cross_entropy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    transitions = random_source(rng, 1)
    source = MarkovSource(transitions, "abc")
    training = sample_tokens(source, n_tokens=30, rng=rng)
    model = Interpolated(counts_by_order([training], order=2), "abc", weights=[0.1, 0.3, 0.6])
    first, *text = sample_tokens(source, n_tokens=3001, rng=rng)
    predicted = transition_array(model)
    expected = cross_entropy_rate(transitions, predicted)
    bound = 4 * spread_of_the_mean(transitions, -np.log(predicted), 3000)
    assert bound < 0.1
    assert abs(mean_nll(model, text, context=[first]) - expected) < bound
    assert abs(
        math.log(perplexity(source, text, context=[first])) - entropy_rate(transitions)
    ) < 4 * spread_of_the_mean(transitions, -np.log(transitions), 3000)


def test_the_counts_of_a_source_cost_its_entropy() -> None:
    """A table with exactly the source's frequencies is the source again."""
    chain = np.array([[0.75, 0.25], [0.5, 0.5]])
    model = AddK([{}, {("a", "a"): 6, ("a", "b"): 2, ("b", "a"): 2, ("b", "b"): 2}], "ab", k=0)
    assert cross_entropy_rate(chain, transition_array(model)) == pytest.approx(entropy_rate(chain), rel=1e-15)


def test_nothing_left_to_chance_costs_nothing() -> None:
    for certain in (np.array([1.0]), np.ones((1, 1)), np.roll(np.eye(3), 1, axis=1)):
        entropy, cross = entropy_rate(certain), cross_entropy_rate(certain, certain)
        assert (entropy, cross) == (0.0, 0.0)
        assert not np.signbit([entropy, cross]).any()


def test_what_the_source_does_and_the_model_excludes_is_infinite() -> None:
    coin = np.array([0.5, 0.5])
    assert cross_entropy_rate(coin, np.array([1.0, 0.0])) == math.inf
    assert cross_entropy_rate(coin, np.eye(2)) == math.inf


def test_what_the_source_never_does_costs_nothing_whatever_the_model_says() -> None:
    only_second = np.array([[0.0, 1.0], [0.0, 1.0]])  # the first state is left for ever
    predicted = np.array([[1.0, 0.0], [0.0, 1.0]])  # wrong there only, and no unique stationary distribution itself
    assert cross_entropy_rate(only_second, predicted) == 0.0


@pytest.mark.parametrize(
    ("transitions", "predicted", "quoted"),
    [
        (np.full((2, 2), 0.4), np.full((2, 2), 0.5), "transitions: .* sum of 0.8"),
        (np.full((2, 2), 0.5), np.full((2, 2), 0.4), "predicted: .* sum of 0.8"),
        (np.eye(2), np.full((2, 2), 0.5), "transitions: expected one closed set"),
        (np.full((2, 2), 0.5), np.full((3, 2), 0.5), r"predicted: expected axes of one length, .* got shape \(3, 2\)"),
    ],
)
def test_what_is_no_source_is_refused(transitions: np.ndarray, predicted: np.ndarray, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        cross_entropy_rate(transitions, predicted)


def test_source_and_model_have_one_vocabulary() -> None:
    with pytest.raises(TypeError):
        cross_entropy_rate(np.full((2, 2), 0.5), np.full((3, 3), 1 / 3))


@pytest.mark.parametrize("memory", [1, 2])
def test_the_rarest_step_that_a_model_rules_out_costs_infinitely_much(memory: int) -> None:
    """Its weight, 1e-200 · 1e-200, is below the least float64."""
    source = np.array([[1.0, 1e-200], [1.0, 1e-200]])
    predicted = np.full((2,) * (memory + 1), 0.5)
    predicted[(1,) * memory] = [1.0, 0.0]
    assert cross_entropy_rate(source, predicted) == math.inf
