"""Stationary distributions against exact fractions and eigenvectors, sources against all short texts listed."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from reference.ngram import MarkovSource, stationary_distribution


def dyadic(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random distributions in 64ths: rows sum to exactly 1, in floats as in fractions."""
    cuts = np.sort(rng.integers(0, 65, size=(*shape[:-1], shape[-1] - 1)))
    return np.diff(cuts, prepend=0, append=64) / 64


def random_source(rng: np.random.Generator, *shape: int) -> np.ndarray:
    weights: np.ndarray = rng.random(shape) + 0.05
    return weights / weights.sum(axis=-1, keepdims=True)


def solved_in_fractions(chain: np.ndarray) -> np.ndarray:
    """π (P - 1) = 0 with the sum 1 in place of one equation, by elimination without rounding."""
    size = len(chain)
    rows = [[Fraction(float(chain[j, i])) - (i == j) for j in range(size)] + [Fraction(0)] for i in range(size - 1)]
    rows.append([Fraction(1)] * (size + 1))
    for column in range(size):
        pivot = next(row for row in range(column, size) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for row in range(size):
            if row != column:
                factor = rows[row][column]
                rows[row] = [value - factor * other for value, other in zip(rows[row], rows[column], strict=True)]
    return np.array([float(row[-1]) for row in rows])


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_stationary_distribution_equals_exact_fractions(size: int, rng: np.random.Generator, proof: Callable) -> None:
    for _ in range(5):
        chain = dyadic(rng, size, size)
        chain[:, 0] = chain[:, 0] / 2 + 0.5  # one state that all others reach: π is unique
        chain[:, 1:] /= 2
        exact, ours = solved_in_fractions(chain), stationary_distribution(chain)
        proof(stationary_distribution, "fractions.Fraction").close(ours, exact, within=1e-15)
        reached = exact > 0
        np.testing.assert_allclose(ours[reached], exact[reached], rtol=1e-14)  # each entry, not only the largest
        assert (ours[~reached] == 0).all()


@pytest.mark.parametrize(("order", "size"), [(1, 5), (2, 3), (3, 2)])
def test_stationary_distribution_equals_an_eigenvector(
    order: int, size: int, rng: np.random.Generator, proof: Callable
) -> None:
    transitions = random_source(rng, *[size] * (order + 1))
    contexts = list(product(range(size), repeat=order))
    chain = np.zeros((len(contexts), len(contexts)))
    for row, context in enumerate(contexts):
        for token in range(size):
            chain[row, contexts.index((*context, token)[1:])] = transitions[(*context, token)]
    values, vectors = np.linalg.eig(chain.T)
    vector = vectors[:, np.argmin(abs(values - 1))].real
    theirs = (vector / vector.sum()).reshape((size,) * order)
    proof(stationary_distribution, "numpy.linalg.eig").close(stationary_distribution(transitions), theirs, within=1e-13)


def test_two_states_have_a_closed_form() -> None:
    for to_second, to_first in [(0.1, 0.3), (1.0, 1.0), (1.0, 0.5), (2**-52, 2**-50)]:
        chain = np.array([[1 - to_second, to_second], [to_first, 1 - to_first]])
        expected = np.array([to_first, to_second]) / (to_first + to_second)  # Cover and Thomas, section 4.1
        np.testing.assert_allclose(stationary_distribution(chain), expected, rtol=1e-15)


def test_rare_transitions_lose_no_digit() -> None:
    """1 - 1e-200 is 1, so that what is not subtracted cannot be lost."""
    chain = np.array([[1.0, 1e-200, 0.0], [0.0, 1.0, 2e-200], [4e-200, 0.0, 1.0]])
    np.testing.assert_allclose(stationary_distribution(chain), np.array([4, 2, 1]) / 7, rtol=1e-15)


def test_a_period_and_states_left_for_ever() -> None:
    assert stationary_distribution(np.roll(np.eye(4), 1, axis=1)).tolist() == [0.25] * 4
    chain = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    assert stationary_distribution(chain).tolist() == [0.0, 0.5, 0.5]
    assert stationary_distribution(np.array([[1.0, 0.0], [1.0, 0.0]])).tolist() == [1.0, 0.0]


def test_order_zero_and_one_token() -> None:
    assert stationary_distribution(np.array([0.2, 0.8])).shape == ()
    assert stationary_distribution(np.array([0.2, 0.8])) == 1.0
    assert stationary_distribution(np.ones((1, 1, 1))).tolist() == [[1.0]]


def test_the_input_is_left_alone(rng: np.random.Generator) -> None:
    chain = random_source(rng, 4, 4)
    before = chain.copy()
    stationary_distribution(chain)
    source = MarkovSource(chain, "abcd")
    source.distribution("a")[0] = 7.0
    np.testing.assert_array_equal(chain, before)
    chain[0] = 0.25
    np.testing.assert_array_equal(source.distribution("a"), before[0])


@pytest.mark.parametrize(
    ("transitions", "quoted"),
    [
        (np.eye(2), "expected one closed set of states, got 2"),
        (np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), "expected one closed set of states, got 2"),
        (np.full((2, 2), 0.4), "sum to 1, got a sum of 0.8"),
        (np.array([[1.5, -0.5], [0.5, 0.5]]), "0 or more, got -0.5"),
        (np.array([[np.nan, 0.5], [0.5, 0.5]]), "0 or more, got nan"),
        (np.full((3, 2), 0.5), r"axes of one length, 1 or more, got shape \(3, 2\)"),
        (np.zeros((0, 0)), r"axes of one length, 1 or more, got shape \(0, 0\)"),
        (np.zeros(0), r"axes of one length, 1 or more, got shape \(0,\)"),
        (np.array([[0.0, 1.0], [1e-310, 1.0]]), "differ by less than 1e308"),
    ],
)
def test_what_is_no_source_is_refused(transitions: np.ndarray, quoted: str) -> None:
    with pytest.raises(ValueError, match=f"transitions: .*{quoted}"):
        stationary_distribution(transitions)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_texts_of_a_source_have_the_probability_of_its_walk(
    order: int, rng: np.random.Generator, proof: Callable
) -> None:
    """The stationary probability of the first r tokens, times the transitions; shorter texts are sums over longer."""
    transitions = random_source(rng, *[3] * (order + 1))
    states, source = stationary_distribution(transitions), MarkovSource(transitions, "abc")
    longest = order + 2
    walks = np.empty((3,) * longest)
    for walk in product(range(3), repeat=longest):
        steps = [transitions[walk[at : at + order + 1]] for at in range(longest - order)]
        walks[walk] = states[walk[:order]] * math.prod(steps)
    for length in range(longest + 1):
        ours = np.empty((3,) * length)
        for text in product(range(3), repeat=length):
            ours[text] = math.prod(source.probabilities(["abc"[token] for token in text]))
        for first in range(longest - length + 1):  # wherever the text is cut out of a longer one: it is stationary
            away = tuple(at for at in range(longest) if not first <= at < first + length)
            proof(MarkovSource, "sum over all longer texts").close(ours, walks.sum(axis=away), within=1e-14)


def test_a_beginning_that_cannot_be_is_followed_by_anything() -> None:
    transitions = np.zeros((2, 2, 2))
    transitions[:, :, 1] = 1.0  # nothing but "b", in the long run
    source = MarkovSource(transitions, "ab")
    assert source.distribution("").tolist() == [0.0, 1.0]
    assert source.distribution("b").tolist() == [0.0, 1.0]
    assert source.distribution("a").tolist() == [0.5, 0.5]
    assert source.distribution("ba").tolist() == [0.0, 1.0]


def test_a_source_knows_its_vocabulary() -> None:
    with pytest.raises(ValueError, match="vocabulary: expected 2 tokens, got 3"):
        MarkovSource(np.full((2, 2), 0.5), "abc")
    with pytest.raises(ValueError, match="context: expected tokens of the vocabulary, got '<'"):
        MarkovSource(np.full((2, 2), 0.5), "ab").distribution("<")
    with pytest.raises(ValueError, match="one closed set"):
        MarkovSource(np.eye(2), "ab")


@pytest.mark.parametrize(
    "chain",
    [
        [[1.0, 1e-200, 0.0], [1.0, 0.0, 1e-200], [1.0, 0.0, 0.0]],  # 1, 1e-200 and 1e-400
        [[1.0, 1e-160, 0.0], [1.0, 0.0, 1e-160], [1.0, 0.0, 0.0]],  # 1e-320 has lost most of its digits
        [[0.0, 1e-200, 1.0], [1.0, 0.0, 0.0], [1e-200, 0.0, 1.0]],
    ],
)
def test_states_too_rare_for_float64_are_refused_not_called_left_for_ever(chain: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="differ by less than 1e308"):
        stationary_distribution(np.array(chain))


def test_products_of_rare_steps_keep_their_digits() -> None:
    """What flows from the second state over the third to the first is 1e-320: its digits must not be lost."""
    chain = np.array([[1.0, 1e-20, 0.0], [0.0, 1.0, 1e-160], [1e-160, 1.0, 0.0]])
    np.testing.assert_allclose(stationary_distribution(chain), [1e-300, 1.0, 1e-160], rtol=1e-14)
