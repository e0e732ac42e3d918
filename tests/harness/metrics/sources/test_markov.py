"""The Markov source: its probabilities add up to 1, its draws follow them, its floor is the entropy rate."""

import math
import string
from bisect import bisect_right
from collections import Counter
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from harness.checks.samplers import departure
from harness.errors import ConfigurationError
from harness.metrics.sources import MarkovSource, bits_per_byte
from harness.metrics.sources.draws import thresholds

WORDS = ("le ", "chat ", "dort ")
CIRCLE = np.array([[0.0, 1.0], [1.0, 0.0]])  # periodic: its distribution goes to and fro without end
STAR = np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # every second symbol is an "a"
TRAP = np.array([[0.5, 0.5], [0.0, 1.0]])  # "a" is left for ever


def source(seed: int, alphabet: Any = "abc", order: int = 2, concentration: float = 0.5) -> MarkovSource:
    return MarkovSource.random(np.random.default_rng(seed), alphabet=alphabet, order=order, concentration=concentration)


@pytest.mark.parametrize("alphabet", ["a", "abc", "aé😀", WORDS], ids=str)
@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_probabilities_add_up_to_one_for_each_length(alphabet: Any, order: int, length: int) -> None:
    made = source(order + length, alphabet, order)
    documents = ["".join(symbols) for symbols in product(alphabet, repeat=length)]
    total = math.fsum(math.exp(made.log_probability(document)) for document in documents)
    assert total == pytest.approx(1.0, abs=1e-13)


def test_rows_given_in_a_few_digits_add_up_to_one_in_long_documents() -> None:
    made = MarkovSource("abc", np.full((3, 3), 0.3333333334))
    assert made.log_probability("a" * 100_000) == pytest.approx(100_000 * math.log(1 / 3), abs=1e-8)


def test_a_number_beyond_all_rounded_thresholds_still_chooses_something() -> None:
    last = 1 - 2.0**-53  # the largest that is drawn; ten times 0.1 adds up to just this
    assert bisect_right(thresholds([0.1] * 10), last) == 9
    assert bisect_right(thresholds([0.1] * 10 + [0.0]), last) == 9
    assert bisect_right(thresholds([0.0, 1.0, 0.0]), last) == bisect_right(thresholds([0.0, 1.0, 0.0]), 0.0) == 1


def test_a_document_has_the_probability_of_the_chain_rule() -> None:
    table = np.array([[0.9, 0.1], [0.3, 0.7]])
    made = MarkovSource("ab", table)
    for text in ("a", "b", "ab", "bba", "abbab"):
        chain = [0.75, 0.25]["ab".index(text[0])]  # stationary: 0.75 · 0.1 = 0.25 · 0.3
        for before, after in pairwise(text):
            chain *= table["ab".index(before), "ab".index(after)]
        assert math.exp(made.log_probability(text)) == pytest.approx(chain, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_draws_follow_the_probabilities(seed: int) -> None:
    made = source(seed)
    documents = ["".join(symbols) for symbols in product("abc", repeat=4)]
    table = {document: math.exp(made.log_probability(document)) for document in documents}
    drawn = made.sample(np.random.default_rng(seed + 100), documents=20_000, length=4)
    assert departure(drawn, table) is None
    assert departure(drawn, {document: 1 / len(documents) for document in documents}) is not None


def test_draws_late_in_a_document_follow_the_table() -> None:
    made = source(8, order=1, concentration=2.0)
    [text] = made.sample(np.random.default_rng(1), documents=1, length=50_000)
    for before, row in zip("abc", made.transitions, strict=True):
        followers = [after for here, after in pairwise(text) if here == before]
        assert departure(followers, dict(zip("abc", row, strict=True))) is None


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_floor_is_the_entropy_rate(order: int) -> None:
    """The rate from the eigenvector of the chain of states; 200 documents give the sampling error."""
    made = source(order, "abcd", order, concentration=1.0)
    states = 4**order
    rows = made.transitions.reshape(states, 4)
    chain = np.zeros((states, states))
    for state, symbol in product(range(states), range(4)):
        chain[state, (state * 4 + symbol) % states] += rows[state, symbol]
    values, vectors = np.linalg.eig(chain.T)
    stationary = np.real(vectors[:, np.argmax(values.real)])
    stationary /= stationary.sum()
    rate = -(stationary[:, None] * rows * np.log2(rows)).sum()
    documents = made.sample(np.random.default_rng(3), documents=200, length=2000)
    floors = [bits_per_byte(made, [document]) for document in documents]
    error = np.std(floors) / math.sqrt(len(floors))
    start = -(stationary * np.log2(stationary)).sum() - order * rate  # what the first symbols cost beyond the rate
    assert abs(np.mean(floors) - rate - start / 2000) < 4 * error
    assert error < 0.01 * rate


def test_the_floor_counts_bytes_not_characters() -> None:
    assert bits_per_byte(MarkovSource("éà", np.array([0.5, 0.5])), ["éàé", "à"]) == pytest.approx(0.5)


def test_what_is_never_drawn_has_no_probability() -> None:
    made = source(0)
    assert made.log_probability("abx") == -math.inf
    assert made.log_probability("ab\n") == -math.inf
    assert MarkovSource("ab", TRAP).log_probability("ba") == -math.inf
    assert source(0, WORDS).log_probability("le chat dor") == -math.inf
    with pytest.raises(ValueError, match="text of this source"):
        bits_per_byte(made, ["abx"])
    with pytest.raises(ValueError, match="0 bytes"):
        bits_per_byte(made, [])


def test_periodic_chains_and_traps_have_a_start_too() -> None:
    circle, star, trap = MarkovSource("ab", CIRCLE), MarkovSource("abc", STAR), MarkovSource("ab", TRAP)
    assert sorted(set(circle.sample(np.random.default_rng(0), documents=50, length=4))) == ["abab", "baba"]
    assert circle.log_probability("abab") == pytest.approx(math.log(0.5))
    assert [math.exp(star.log_probability(first)) for first in "abc"] == pytest.approx([0.5, 0.25, 0.25])
    assert trap.sample(np.random.default_rng(0), documents=3, length=3) == ["bbb"] * 3


def test_symbols_of_probability_zero_are_never_drawn() -> None:
    made = MarkovSource("abcd", np.array([0.0, 0.5, 0.0, 0.5]))
    [text] = made.sample(np.random.default_rng(0), documents=1, length=1000)
    assert set(text) == {"b", "d"}


def test_documents_follow_the_generator_and_nothing_else() -> None:
    made = source(1, string.ascii_lowercase)
    first, again, other = (made.sample(np.random.default_rng(n), documents=3, length=50) for n in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)
    assert len(set(first)) == 3
    assert Counter(map(len, first)) == {50: 3}


@pytest.mark.parametrize(
    ("symbols", "table", "said"),
    [
        ("", np.ones(1), "symbols are"),
        ("aa", np.full(2, 0.5), "'a' begins the symbol 'a'"),
        (("le", "les"), np.full(2, 0.5), "'le' begins the symbol 'les'"),
        ("ab", np.full(3, 1 / 3), "shape"),
        ("ab", np.array(1.0), "shape"),
        ("ab", np.array([0.5, 0.6]), "no distribution"),
        ("ab", np.array([1.5, -0.5]), "no distribution"),
        ("ab", np.array([np.nan, 1.0]), "no distribution"),
    ],
)
def test_what_is_no_markov_source_is_refused(symbols: Any, table: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        MarkovSource(symbols, table)


@pytest.mark.parametrize(
    "options",
    [
        {"order": 10**6},
        {"order": 1.5},
        {"order": -1},
        {"concentration": 0.0},
        {"concentration": math.inf},
        {"order": 9},
    ],
    ids=str,
)
def test_impossible_random_sources_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        source(0, **{"alphabet": string.ascii_lowercase, **options})


@pytest.mark.parametrize("size", [{"documents": 0, "length": 1}, {"documents": 1, "length": 0}], ids=str)
def test_nothing_cannot_be_drawn(size: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="one or more"):
        source(0).sample(np.random.default_rng(0), **size)
