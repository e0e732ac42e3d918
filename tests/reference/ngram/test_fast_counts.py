"""The fast twin counts what the obvious version counts, on every alphabet, order and length."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.ngram import character_ngram_counts, ngram_counts


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=40) | st.text("ab\ud800\udfff", max_size=60), st.integers(1, 12))
def test_it_equals_the_obvious_version(text: str, order: int) -> None:
    assert character_ngram_counts(text, order=order) == ngram_counts(text, order=order)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("letters", [1, 2, 27, 5000])
def test_it_equals_the_obvious_version_on_long_texts(
    order: int, letters: int, rng: np.random.Generator, proof: Callable
) -> None:
    text = "".join(map(chr, rng.integers(0x1F600 - letters, 0x1F600, size=3000)))  # 27 ** 40 is beyond any int64
    ours, theirs = character_ngram_counts(text, order=order), ngram_counts(text, order=order)
    proof(character_ngram_counts, "ngram_counts").equal(ours, theirs)
    assert sum(ours.values()) == 3000 - order + 1
    assert {type(count) for count in ours.values()} == {int}


@pytest.mark.parametrize("text", ["b" * 140 + "a" + "b" * 140, "b" * 64 + "a", "abcd" * 40 + "dbcd" * 40])
@pytest.mark.parametrize("order", [31, 32, 33, 62, 63, 64, 65, 70, 128, 130, 135])
def test_no_run_is_too_long_for_an_integer(text: str, order: int) -> None:
    """Runs that differ in their first characters only, of alphabets that are powers of two: bits would fall out."""
    assert character_ngram_counts(text, order=order) == ngram_counts(text, order=order)


def test_keys_are_in_the_order_of_code_points() -> None:
    assert list(character_ngram_counts("zaéa", order=2)) == [("a", "é"), ("z", "a"), ("é", "a")]


@pytest.mark.parametrize(("text", "order"), [("", 1), ("", 3), ("ab", 3)])
def test_a_text_without_ngrams(text: str, order: int) -> None:
    assert character_ngram_counts(text, order=order) == Counter()


def test_lone_surrogates_are_characters() -> None:
    assert character_ngram_counts("a\ud800a\ud800", order=2) == {("a", "\ud800"): 2, ("\ud800", "a"): 1}


def test_a_text_of_one_ngram() -> None:
    assert character_ngram_counts("ab", order=2) == {("a", "b"): 1}


def test_an_order_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="order: expected 1 or more, got 0"):
        character_ngram_counts("ab", order=0)
