"""tf-idf in both variants against scikit-learn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer  # type: ignore[import-untyped]
from sklearn.preprocessing import normalize  # type: ignore[import-untyped]

from reference.embeddings import inverse_document_frequency, tfidf


@pytest.fixture
def counts(rng: np.random.Generator) -> np.ndarray:
    drawn: np.ndarray = rng.poisson(0.8, size=(12, 9))
    drawn[3] = 0  # an empty document
    drawn[:, 2] += 1  # a term of every other document
    drawn[3, 2] = 0
    return drawn


@pytest.mark.parametrize("normalise", [False, True])
def test_smoothed_equals_scikit_learn(counts: np.ndarray, normalise: bool, proof: Callable) -> None:
    theirs = TfidfTransformer(smooth_idf=True, norm="l2" if normalise else None).fit(counts)
    ours = tfidf(counts, smooth=True, normalise=normalise)
    proof(tfidf, "sklearn TfidfTransformer").close(ours, theirs.transform(counts).toarray(), within=1e-15)
    idf = inverse_document_frequency(counts, smooth=True)
    proof(inverse_document_frequency, "sklearn TfidfTransformer.idf_").close(idf, theirs.idf_, within=1e-15)


@pytest.mark.parametrize("normalise", [False, True])
def test_textbook_equals_scikit_learn_without_its_one(counts: np.ndarray, normalise: bool, proof: Callable) -> None:
    theirs = TfidfTransformer(smooth_idf=False, norm=None).fit(counts)
    expected = theirs.transform(counts).toarray() - counts  # scikit-learn: log(D / df) + 1
    ours = tfidf(counts, smooth=False, normalise=normalise)
    against = proof(tfidf, "sklearn TfidfTransformer(smooth_idf=False) less the counts")
    against.close(ours, normalize(expected) if normalise else expected, within=1e-14)
    idf = inverse_document_frequency(counts, smooth=False)
    proof(inverse_document_frequency, "sklearn TfidfTransformer.idf_ - 1").close(idf, theirs.idf_ - 1, within=1e-15)


def test_the_textbooks_example(proof: Callable) -> None:
    holding = [18_165, 6_723, 19_241, 25_235]  # of 806,791 documents; the book's logarithm has base 10
    counts = (np.arange(806_791)[:, None] < holding).astype(np.int64)
    ours = inverse_document_frequency(counts, smooth=False) / math.log(10)
    against = proof(inverse_document_frequency, "published: Manning et al. 2008, figure 6.8")
    against.equal(ours.round(2).tolist(), [1.65, 2.08, 1.62, 1.5])


def test_a_term_of_every_document_or_of_none() -> None:
    counts = np.array([[2, 0, 1], [3, 0, 0]])
    assert inverse_document_frequency(counts, smooth=False).tolist() == [0.0, 0.0, math.log(2)]
    assert inverse_document_frequency(counts, smooth=True).tolist() == [1.0, math.log(3) + 1, math.log(3 / 2) + 1]
    assert tfidf(counts, smooth=False, normalise=True).tolist() == [[0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0), (1, 1)])
@pytest.mark.parametrize("smooth", [False, True])
def test_nothing_counted(shape: tuple[int, int], smooth: bool) -> None:
    empty = np.zeros(shape, dtype=np.int64)
    assert tfidf(empty, smooth=smooth, normalise=True).shape == shape
    assert not tfidf(empty, smooth=smooth, normalise=True).any()
    none = 1 + math.log(1 + shape[0]) if smooth else 0
    assert inverse_document_frequency(empty, smooth=smooth).tolist() == pytest.approx([none] * shape[1])


def test_negative_counts_are_quoted() -> None:
    for smooth in (False, True):
        with pytest.raises(ValueError, match="counts: expected 0 or more, got -2"):
            tfidf(np.array([[1, -2]]), smooth=smooth, normalise=False)
        with pytest.raises(ValueError, match="counts: expected 0 or more, got -2"):
            inverse_document_frequency(np.array([[1, -2]]), smooth=smooth)


def test_counts_are_whole_numbers() -> None:
    with pytest.raises(TypeError):
        tfidf(np.array([[0.5]]), smooth=True, normalise=True)
