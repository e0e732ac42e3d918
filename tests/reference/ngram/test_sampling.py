"""Drawn names against their exact distribution, and the exact distribution against all names listed one by one."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from nltk.lm import Lidstone, Vocabulary  # type: ignore[import-untyped]
from scipy import stats

from reference.ngram import (
    ALPHABET,
    MAX_LENGTH,
    bigram_counts,
    bigram_probabilities,
    length_distribution,
    name_probability,
    prefix_distribution,
    sample_names,
    transitions,
)

SHORT = ["".join(symbols) for length in range(7) for symbols in product("aé", repeat=length)]


def test_name_probability_equals_nltk(proof: Callable) -> None:
    names = ["léa", "anna", "jean-loïc", "noël", ""]
    model = Lidstone(0.5, 2, Vocabulary([*ALPHABET[1:]], unk_label="."))
    model.fit([transitions(name) for name in names])
    table = bigram_probabilities(bigram_counts(names), 0.5)
    for name in ["léa", "zoé", ""]:
        theirs = math.prod(model.score(second, [first]) for first, second in transitions(name))
        proof(name_probability, "nltk.lm.Lidstone.score").close(name_probability(name, table), theirs, within=1e-17)


def test_each_symbol_is_where_the_distribution_function_passes_a_uniform_number(
    table: np.ndarray, proof: Callable
) -> None:
    for seed in range(20):
        uniform, names = np.random.default_rng(seed), []
        for _ in range(5):
            symbols = "."
            while len(symbols) <= MAX_LENGTH and symbols[1:].find(".") < 0:
                passed = np.cumsum(table[ALPHABET.index(symbols[-1])])
                symbols += ALPHABET[int(np.searchsorted(passed, uniform.random() * passed[-1], side="right"))]
            names.append(symbols.strip("."))
        proof(sample_names, "inverse distribution function").equal(sample_names(table, 5, seed), names)


def test_probabilities_of_all_short_names_add_up_to_the_lengths(small_table: np.ndarray, proof: Callable) -> None:
    lengths = length_distribution(small_table)
    for length in range(7):
        listed = math.fsum(name_probability(name, small_table) for name in SHORT if len(name) == length)
        assert lengths[length] == pytest.approx(listed, rel=1e-13)
        proof(length_distribution, "all names listed").close(lengths[length], listed, within=1e-15)


def test_lengths_and_prefixes_are_distributions(table: np.ndarray, small_table: np.ndarray) -> None:
    for rows in (table, small_table):
        assert length_distribution(rows).sum() == pytest.approx(1, rel=1e-13)
        assert math.fsum(prefix_distribution(rows, length=2).values()) == pytest.approx(1, rel=1e-13)


def test_first_symbols_are_the_row_of_the_boundary(table: np.ndarray) -> None:
    expected = dict(zip(["", *ALPHABET[1:]], table[0], strict=True))
    assert prefix_distribution(table, length=1) == {symbol: p for symbol, p in expected.items() if p}


def test_prefixes_equal_whole_names_listed_one_by_one(small_table: np.ndarray, proof: Callable) -> None:
    prefixes = prefix_distribution(small_table, length=3)
    assert set(prefixes) == {name for name in SHORT if len(name) <= 3}
    for prefix, probability in prefixes.items():
        ended = name_probability(prefix, small_table)
        # after 3 symbols anything may follow: take the last step, to the boundary, out again
        expected = ended if len(prefix) < 3 else ended / {"a": 0.1, "é": 0.5}[prefix[-1]]
        assert probability == pytest.approx(expected, rel=1e-13)
        proof(prefix_distribution, "all names listed").close(probability, expected, within=1e-15)


def test_length_zero_has_one_prefix_and_the_longest_prefixes_are_names() -> None:
    table = np.zeros((40, 40))
    table[:, 0], table[:, 1] = 0.25, 0.75
    assert prefix_distribution(table, length=0) == {"": 1.0}
    names = prefix_distribution(table, length=MAX_LENGTH)
    assert names["a" * MAX_LENGTH] == pytest.approx(0.75**MAX_LENGTH, rel=1e-13)
    for name, probability in names.items():
        assert probability == pytest.approx(name_probability(name, table), rel=1e-13)
    np.testing.assert_allclose(length_distribution(table), [names[name] for name in sorted(names)], rtol=1e-13)


def test_a_name_beyond_the_longest_is_never_drawn(table: np.ndarray) -> None:
    assert name_probability("a" * (MAX_LENGTH + 1), np.full((40, 40), 1 / 40)) == 0.0
    endless = np.zeros((40, 40))
    endless[:, 2] = 1.0
    assert sample_names(endless, 1, seed=3) == ["b" * MAX_LENGTH]
    assert length_distribution(endless)[MAX_LENGTH] == 1.0
    assert name_probability("b" * MAX_LENGTH, endless) == 1.0


def test_drawn_names_have_the_exact_distribution(small_table: np.ndarray) -> None:
    names = sample_names(small_table, 4000, seed=5)
    expected = prefix_distribution(small_table, length=2)
    observed = Counter(name[:2] for name in names)
    assert set(observed) <= set(expected)
    fit = stats.chisquare([observed[key] for key in expected], [4000 * p for p in expected.values()])
    assert fit.pvalue > 1e-3  # one fixed seed: decided once, not a matter of luck
    lengths = length_distribution(small_table)[:8]
    found = np.bincount([len(name) for name in names], minlength=8)[:8]
    tail = [4000 - found.sum()], [4000 * (1 - lengths.sum())]
    assert stats.chisquare([*found, *tail[0]], [*(4000 * lengths), *tail[1]]).pvalue > 1e-3


def test_seeds(table: np.ndarray) -> None:
    assert sample_names(table, 20, seed=1) == sample_names(table, 20, seed=1)
    assert sample_names(table, 20, seed=1) != sample_names(table, 20, seed=2)
    assert sample_names(table, 0, seed=1) == []


def test_bad_arguments_are_quoted(table: np.ndarray) -> None:
    with pytest.raises(ValueError, match="got -1 and 0"):
        sample_names(table, -1, seed=0)
    with pytest.raises(ValueError, match="got 1 and -5"):
        sample_names(table, 1, seed=-5)
    with pytest.raises(ValueError, match="sum to 1"):
        sample_names(table * 1.1, 1, seed=0)
    with pytest.raises(ValueError, match="got 'Z'"):
        name_probability("Z", table)


@pytest.mark.parametrize("length", [-1, MAX_LENGTH + 1])
def test_prefixes_beyond_the_longest_name_are_refused(length: int) -> None:
    one_way = np.zeros((40, 40))
    one_way[:, 1] = 1.0  # a single prefix of each length: cheap even if the bound were not held
    with pytest.raises(ValueError, match=f"expected 0 to 30, got {length}"):
        prefix_distribution(one_way, length=length)


def test_prefixes_that_round_to_probability_zero_have_no_key() -> None:
    rows = np.zeros((40, 40))
    rows[:, ALPHABET.index(".")], rows[:, ALPHABET.index("a")] = 1.0, 1e-200
    assert prefix_distribution(rows, length=3) == {"": 1.0, "a": 1e-200}


def test_a_table_whose_sums_overflow_is_refused() -> None:
    rows = np.full((40, 40), 1e308)
    with pytest.raises(ValueError, match="sum to 1, got inf in row 0"):
        prefix_distribution(rows, length=1)
