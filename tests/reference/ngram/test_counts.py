"""Counts against a search for every pair of symbols, and against NLTK's padding and windows."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.util import ngrams as nltk_ngrams  # type: ignore[import-untyped]
from nltk.util import pad_sequence  # type: ignore[import-untyped]

from reference.ngram import ALPHABET, bigram_counts, ngrams, transitions, trigram_counts

name = st.text(st.sampled_from(ALPHABET[1:]), max_size=12)
names = st.lists(name, max_size=8)


def test_the_alphabet_has_forty_distinct_symbols_and_are_in_the_order_of_the_statement() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 40
    assert ALPHABET == ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"  # as the statement says: rows are in this order


@given(names)
def test_bigram_counts_equal_a_search_for_every_pair(names: list[str]) -> None:
    wrapped = [f".{name}." for name in names]
    expected = [
        [sum(text[at : at + 2] == first + second for text in wrapped for at in range(len(text))) for second in ALPHABET]
        for first in ALPHABET
    ]
    counts = bigram_counts(names)
    np.testing.assert_array_equal(counts, expected)
    assert counts.dtype == np.int64


@given(names)
def test_trigram_counts_equal_nltk_windows(names: list[str]) -> None:
    padded = [[*pad_sequence(name, n=3, pad_left=True, left_pad_symbol="."), "."] for name in names]
    windows = ("".join(window) for symbols in padded for window in nltk_ngrams(symbols, 3))
    assert trigram_counts(names) == dict(Counter(windows))


def random_names(rng: np.random.Generator) -> list[str]:
    return ["".join(rng.choice([*ALPHABET[1:]], size=rng.integers(0, 9))) for _ in range(200)]


def test_names_are_cut_and_counted_as_by_nltk(rng: np.random.Generator, proof: Callable) -> None:
    names = random_names(rng)
    for order in (1, 2, 3, 5):
        ours = [[tuple(ngram) for ngram in ngrams(name, order=order)] for name in names]
        theirs = [[*nltk_ngrams([*"." * (order - 1), *name, "."], order)] for name in names]
        proof(ngrams, "nltk.util.ngrams").equal(ours, theirs)
    pairs = [pair for name in names for pair in nltk_ngrams(f".{name}.", 2)]
    proof(transitions, "nltk.util.ngrams").equal([pair for name in names for pair in transitions(name)], pairs)
    times = Counter(pairs)
    expected = np.array([[times[first, second] for second in ALPHABET] for first in ALPHABET])
    proof(bigram_counts, "nltk.util.ngrams").close(bigram_counts(names), expected, within=0.0)
    triples = Counter("".join(triple) for name in names for triple in nltk_ngrams(f"..{name}.", 3))
    proof(trigram_counts, "nltk.util.ngrams").equal(trigram_counts(names), dict(triples))


@given(name, st.integers(1, 6))
def test_every_symbol_and_the_final_boundary_end_exactly_one_ngram(name: str, order: int) -> None:
    cut = ngrams(name, order=order)
    assert "".join(ngram[-1] for ngram in cut) == name + "."
    assert {len(ngram) for ngram in cut} == {order}


def test_edges() -> None:
    assert bigram_counts([]).sum() == 0
    assert trigram_counts([]) == {}
    assert trigram_counts([""]) == {"...": 1}
    assert bigram_counts([""])[0, 0] == 1
    assert transitions("") == [(".", ".")]


@pytest.mark.parametrize(
    ("bad", "quoted"),
    [("Léa", "got 'L' at 0"), ("lé.a", r"got '\.' at 2"), ("le\u0301a", "at 2"), ("a b", "got ' ' at 1")],
)
def test_symbols_outside_the_alphabet_are_named_with_their_place(bad: str, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        bigram_counts(["anna", bad])
    with pytest.raises(ValueError, match=quoted):
        trigram_counts([bad])


def test_one_string_is_not_a_list_of_names() -> None:
    with pytest.raises(TypeError, match="anna"):
        bigram_counts("anna")  # type: ignore[arg-type]


def test_an_order_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 or more, got 0"):
        ngrams("anna", order=0)
