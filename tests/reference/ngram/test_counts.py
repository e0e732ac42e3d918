"""Counts against a search for every pair of symbols, and against NLTK's padding and windows."""

from collections import Counter

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
