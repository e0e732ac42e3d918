"""Weighting terms by how few documents hold them, in two variants. Not covered: sublinear counts, BM25, queries."""

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.embeddings.similarity import unit_rows


@checked
def inverse_document_frequency(counts: Int64[np.ndarray, "D V"], *, smooth: bool) -> Float64[np.ndarray, " V"]:
    """Weigh each term by how few documents hold it.

    df[t] = number of documents with counts[d, t] > 0.
    smooth=False, as in textbooks: idf[t] = log(D / df[t]); a term of every document weighs 0, a term of none 0 as well
    (it has nothing to weigh).
    smooth=True, as scikit-learn does: idf[t] = log((1 + D) / (1 + df[t])) + 1, as if one more document held every term;
    never below 1.
    Natural logarithms. No document: 0, or 1 with smoothing.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), equation 6.7; smooth:
    scikit-learn, TfidfTransformer(smooth_idf=True).
    Departs from it: natural logarithm (there: examples in base 10), and a term that no document holds has a value.

    Args:
        counts: how often each document holds each term.
        smooth: which variant.
    Raises:
        ValueError: a count is negative.

    Cost: O(D·V).

    >>> counts = np.array([[1, 2, 0], [3, 0, 0]])
    >>> inverse_document_frequency(counts, smooth=False).round(6)    # log 1, log 2, none
    array([0.      , 0.693147, 0.      ])
    >>> inverse_document_frequency(counts, smooth=True).round(6)     # log 1 + 1, log 3/2 + 1, log 3 + 1
    array([1.      , 1.405465, 2.098612])
    """
    if (counts < 0).any():
        raise ValueError(f"counts: expected 0 or more, got {counts.min()}")
    n_documents = len(counts)
    holding = (counts > 0).sum(axis=0)  # df, (V,)
    if smooth:
        return np.asarray(np.log((1 + n_documents) / (1 + holding)) + 1)
    idf = np.zeros(counts.shape[1])
    held = holding > 0
    idf[held] = np.log(n_documents / holding[held])
    return idf


@checked
def tfidf(counts: Int64[np.ndarray, "D V"], *, smooth: bool, normalise: bool) -> Float64[np.ndarray, "D V"]:
    """Weigh each term of each document: often here, seldom elsewhere.

    tfidf[d, t] = counts[d, t] · idf[t], see `inverse_document_frequency`; normalise: each row divided by its Euclidean
    length. The textbook's variant is smooth=False, normalise=False; scikit-learn's default is both true.
    A document without terms, or whose terms all weigh 0, stays a row of zeros.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), equation 6.8; normalise:
    section 6.3.1; both: scikit-learn, TfidfTransformer.

    Args:
        counts: how often each document holds each term.
        smooth: whether document frequencies are smoothed.
        normalise: whether rows have length 1.
    Raises:
        ValueError: a count is negative.

    Cost: O(D·V).

    >>> tfidf(np.array([[1, 2], [3, 0]]), smooth=False, normalise=False).round(6)
    array([[0.      , 1.386294],
           [0.      , 0.      ]])
    >>> tfidf(np.array([[1, 2], [3, 0]]), smooth=True, normalise=True).round(6)
    array([[0.335176, 0.942156],
           [1.      , 0.      ]])
    """
    weighted = counts * inverse_document_frequency(counts, smooth=smooth)
    return unit_rows(weighted) if normalise else weighted
