"""Likelihoods against NLTK's cross-entropy and a product written out, and their rules at the edges."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from nltk.lm import Lidstone, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import ALPHABET, average_nll, bigram_counts, bigram_probabilities, transition_table, transitions

NAMES = ["léa", "anna", "jean-loïc", "noël", "", "anna"]


def test_average_nll_equals_nltk_cross_entropy(proof: Callable) -> None:
    train, test = NAMES, ["ana", "loïc", ""]
    model = Lidstone(0.5, 2, Vocabulary([*ALPHABET[1:]], unk_label="."))  # 40: NLTK counts the label as well
    model.fit([transitions(name) for name in train])
    bits = model.entropy([pair for name in test for pair in transitions(name)])
    table = bigram_probabilities(bigram_counts(train), 0.5)
    # a dozen logarithms to base 2 and back, and their mean: 20 · 2^-53 ≈ 2e-15
    proof(average_nll, "nltk.lm.Lidstone.entropy").close(average_nll(test, table), bits * math.log(2), within=5e-15)
    for name in test:
        *pairs, steps = zip(*transition_table(name, table), strict=True)
        assert [*zip(*pairs, strict=True)] == transitions(name)
        scores = [model.score(second, [first]) for first, second in transitions(name)]
        proof(transition_table, "nltk.lm.Lidstone.score").close(steps, scores, within=1e-15)


def test_every_transition_weighs_the_same(table: np.ndarray) -> None:
    table = 0.5 * table + 0.5 / 40
    product = table[0, 1] * table[1, 2] * table[2, 0] * table[0, 0]  # "ab", then ""
    assert average_nll(["ab", ""], table) == pytest.approx(-math.log(product) / 4, rel=1e-13)


def test_an_impossible_transition_makes_it_infinite(small_table: np.ndarray) -> None:
    assert average_nll(["aé", "ab"], small_table) == math.inf
    assert math.isfinite(average_nll(["aé"], small_table))


def test_a_certain_name_costs_nothing() -> None:
    table = np.zeros((40, 40))
    table[:, 0] = 1.0
    assert average_nll([""], table) == 0.0


def test_transition_table_lists_each_step_once(small_table: np.ndarray) -> None:
    assert transition_table("aé", small_table) == [(".", "a", 0.2), ("a", "é", 0.3), ("é", ".", 0.5)]
    assert transition_table("", small_table) == [(".", ".", 0.5)]
    assert transition_table("ab", small_table)[1] == ("a", "b", 0.0)


def test_no_names_are_refused(small_table: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least one"):
        average_nll([], small_table)


@pytest.mark.parametrize(
    ("row", "quoted"),
    [
        ([0.5, 0.4], "sum to 1, got 0.9 in row 3"),
        ([-0.5, 1.5], "got -0.5"),
        ([math.nan, 1.0], "got nan"),
        ([math.inf, 1.0], "got inf"),
    ],
)
def test_rows_must_be_distributions(row: list[float], quoted: str, small_table: np.ndarray) -> None:
    small_table[3] = 0.0
    small_table[3, :2] = row
    with pytest.raises(ValueError, match=quoted):
        average_nll(["a"], small_table)
    with pytest.raises(ValueError, match=quoted):
        transition_table("a", small_table)


def test_another_alphabet_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 40 rows, got 27"):
        average_nll(["a"], np.full((27, 27), 1 / 27))
