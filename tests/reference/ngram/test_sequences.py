"""Counts of any tokens against NLTK's windows and a search for every n-gram, and their rules at the edges."""

from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from nltk.lm import NgramCounter, Vocabulary  # type: ignore[import-untyped]
from nltk.lm.preprocessing import padded_everygram_pipeline  # type: ignore[import-untyped]
from nltk.util import ngrams as nltk_ngrams  # type: ignore[import-untyped]
from nltk.util import pad_sequence

from reference.ngram import counts_by_order, ngram_counts, padded, with_unknown

WORDS = ["the", "cat", "saw", "the", "cat", "that", "saw", "the", "dog", "and", "the", "cat", "ran"]


def found_by_search(tokens: list[object], order: int) -> dict[tuple[object, ...], int]:
    """Every n-gram that the tokens could form, looked for at every position."""
    hits = {
        ngram: sum(list(ngram) == tokens[start : start + order] for start in range(len(tokens)))
        for ngram in product(dict.fromkeys(tokens), repeat=order)
    }
    return {ngram: count for ngram, count in hits.items() if count}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ngram_counts_equal_a_search_for_every_ngram(order: int, rng: np.random.Generator, proof: Callable) -> None:
    for length in [0, 1, order - 1, order, order + 1, 30]:
        tokens = rng.integers(0, 4, size=length).tolist()
        proof(ngram_counts, "brute force").equal(
            dict(ngram_counts(tokens, order=order)), found_by_search(tokens, order)
        )


@pytest.mark.parametrize("order", [1, 2, 3, 7])
def test_ngram_counts_equal_nltk_windows(order: int, proof: Callable) -> None:
    for tokens in (WORDS, "noël, noël", [], ["one"], [3, 3, 3], [("a", 1), None, ("a", 1)]):
        proof(ngram_counts, "nltk.util.ngrams").equal(
            ngram_counts(tokens, order=order), Counter(nltk_ngrams(tokens, order))
        )


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_padded_equals_nltk(order: int, proof: Callable) -> None:
    for tokens in (WORDS, "a", []):
        left = pad_sequence(tokens, n=order, pad_left=True, left_pad_symbol="<s>")
        theirs = [*left, "</s>"]  # NLTK would put order - 1 of them at the end as well
        proof(padded, "nltk.util.pad_sequence").equal(padded(tokens, order=order, start="<s>", end="</s>"), theirs)


def test_padded_leaves_boundaries_within_a_text_alone() -> None:
    assert padded("a>b", order=2, start=">", end=">") == [">", "a", ">", "b", ">"]


def test_counts_by_order_equal_nltk_everygrams(proof: Callable) -> None:
    texts = [WORDS, ["the"], [], WORDS[3:6]]
    grams, _ = padded_everygram_pipeline(3, texts)  # pads, then counts padding symbols as predicted ones, too
    theirs = NgramCounter(grams)
    ours = counts_by_order(texts, order=3, boundary=("<s>", "</s>"))
    for order, counter in enumerate(ours, 1):
        words = {gram: n for gram, n in counter.items() if gram[-1] != "</s>" and not (order > 1 and gram[0] == "<s>")}
        expected = {gram: theirs[order][gram[:-1]][gram[-1]] if order > 1 else theirs[gram[0]] for gram in words}
        proof(counts_by_order, "nltk.lm.NgramCounter").equal(words, expected)


@pytest.mark.parametrize("boundary", [None, ("<", ">"), (".", ".")])
def test_counts_by_order_equal_a_search_in_each_text(boundary: tuple[str, str] | None, proof: Callable) -> None:
    texts = ["abab", "", "b", "abab", "ca"]
    for order, counter in enumerate(counts_by_order(texts, order=3, boundary=boundary), 1):
        expected: Counter[tuple[object, ...]] = Counter()
        for text in texts:
            tokens = [*text] if boundary is None else [*boundary[0] * (order - 1), *text, boundary[1]]
            expected.update(found_by_search(tokens, order))
        proof(counts_by_order, "brute force").equal(counter, expected)


def test_with_a_boundary_every_token_ends_one_ngram_of_each_order() -> None:
    counts = counts_by_order(["ab", "", "b"], order=4, boundary=("<", ">"))
    for counter in counts:
        ends = Counter(gram[-1] for gram in counter.elements())
        assert ends == {"a": 1, "b": 2, ">": 3}


def test_nothing_to_count() -> None:
    assert counts_by_order([], order=2) == [Counter(), Counter()]
    assert counts_by_order(["", ""], order=2) == [Counter(), Counter()]
    assert ngram_counts("", order=1) == Counter()
    assert ngram_counts("abc", order=4) == Counter()
    assert counts_by_order(["ab"], order=4)[2:] == [Counter(), Counter()]


def test_with_unknown_equals_nltk_lookup(proof: Callable) -> None:
    vocabulary = ["cat", "the", "<unk>"]
    theirs = Vocabulary(vocabulary, unk_label="<unk>").lookup(WORDS)
    ours = with_unknown(WORDS, vocabulary=vocabulary, unknown="<unk>")
    proof(with_unknown, "nltk.lm.Vocabulary.lookup").equal(ours, list(theirs))
    assert with_unknown([], vocabulary="ab", unknown="a") == []


def test_the_unknown_token_must_be_known() -> None:
    with pytest.raises(ValueError, match="unknown: expected a token of the vocabulary, got '<unk>'"):
        with_unknown(["a"], vocabulary=["a"], unknown="<unk>")


def test_an_order_below_one_is_refused() -> None:
    for call in (
        lambda: ngram_counts("ab", order=0),
        lambda: counts_by_order([], order=0),
        lambda: padded("ab", order=0, start="<", end=">"),
    ):
        with pytest.raises(ValueError, match="order: expected 1 or more, got 0"):
            call()


def test_one_string_is_not_a_list_of_texts_and_tokens_can_be_keys() -> None:
    with pytest.raises(TypeError):
        counts_by_order("anna", order=2)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ngram_counts([["a"], ["b"]], order=1)  # type: ignore[list-item]
