"""Which token occurs near which, and in which document. Not covered: what the counts are weighted to afterwards."""

from itertools import chain
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from reference.checked import checked
from reference.values import at_least, known_ids


@checked
def cooccurrence(
    sequences: list[list[int]],
    *,
    n_tokens: int,
    window: int,
    symmetric: bool = True,
    weighting: Literal["flat", "harmonic"] = "flat",
) -> Float64[np.ndarray, "V V"]:
    """Add up, for every pair of tokens, how often and how near they stand together.

    counts[i, j] = sum over positions p of i and q of j, 0 < q - p <= window, of weight(q - p); symmetric: over
    0 < |q - p| <= window, so the table is its own transpose.
    Weights: "flat" 1 at every distance, "harmonic" 1/distance.
    A token that stands twice in a window counts with itself, twice in a symmetric table (each sees the other). Windows
    end with the sequence. Sequences of length 0 or 1, or none at all: nothing is counted.

    Source: Pennington, Socher and Manning 2014 (GloVe, EMNLP), section 4.2 (weight 1/distance); flat windows as in
    Levy, Goldberg and Dagan 2015 (Transactions of the ACL 3).

    Args:
        sequences: token ids, one list a sentence or document.
        n_tokens: V, 1 or more.
        window: the largest distance that counts, 1 or more.
        symmetric: whether both sides count; else column j is only what follows row i.
        weighting: how much a pair counts at a distance.
    Returns:
        Rows: the token in the middle; columns: its neighbours.
    Raises:
        ValueError: `n_tokens` or `window` is below 1, or an id is not known.

    Cost: O(window·(tokens + V²)) time, with the longest sequence for a longer window; O(V²) memory.

    >>> cooccurrence([[0, 1, 2]], n_tokens=3, window=2, weighting="harmonic")
    array([[0. , 1. , 0.5],
           [1. , 0. , 1. ],
           [0.5, 1. , 0. ]])
    >>> cooccurrence([[0, 0, 1]], n_tokens=2, window=1, symmetric=False)
    array([[1., 1.],
           [0., 0.]])
    """
    at_least("n_tokens", n_tokens, 1)
    at_least("window", window, 1)
    known_ids("sequences", chain.from_iterable(sequences), n_tokens)
    counts = np.zeros((n_tokens, n_tokens))
    for distance in range(1, min(window, max(map(len, sequences), default=0)) + 1):
        pairs = np.zeros((n_tokens, n_tokens), dtype=np.int64)
        for sequence in sequences:
            for first, second in zip(sequence, sequence[distance:], strict=False):
                pairs[first, second] += 1
        counts += pairs / (distance if weighting == "harmonic" else 1)
    return counts + counts.T if symmetric else counts


@checked
def document_term_counts(documents: list[list[int]], *, n_tokens: int) -> Int64[np.ndarray, "D V"]:
    """Count every token in every document.

    counts[d, t] = number of times token t occurs in document d. Empty document: a row of zeros. No document: (0, V).

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), section 6.2 (bag of words).

    Args:
        documents: token ids, one list a document.
        n_tokens: V, 1 or more.
    Raises:
        ValueError: `n_tokens` is below 1, or an id is not known.

    Cost: O(tokens + D·V).

    >>> document_term_counts([[0, 2, 0], []], n_tokens=3)
    array([[2, 0, 1],
           [0, 0, 0]])
    """
    at_least("n_tokens", n_tokens, 1)
    known_ids("documents", chain.from_iterable(documents), n_tokens)
    counts = np.zeros((len(documents), n_tokens), dtype=np.int64)
    for row, document in enumerate(documents):
        for token in document:
            counts[row, token] += 1
    return counts
