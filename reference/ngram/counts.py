"""How often each bigram and trigram occurs in a list of names. Not covered: turning counts into probabilities."""

from collections import Counter

import numpy as np
from jaxtyping import Int64

from reference.checked import checked
from reference.ngram.alphabet import ALPHABET, INDEX, ngrams, transitions


@checked
def bigram_counts(names: list[str]) -> Int64[np.ndarray, "V V"]:
    """Count which symbol follows which.

    counts[i, j] = number of times symbol j follows symbol i, each name wrapped in one boundary on both sides.
    A name that occurs twice counts twice. Empty name: counts as boundary followed by boundary. No name: all zeros.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.

    Args:
        names: first names, see `ngrams`.
    Returns:
        Rows and columns in the order of `ALPHABET`.
    Raises:
        ValueError: a name holds a symbol that is not in the alphabet, or a boundary.

    Cost: O(N) for N symbols in all.

    >>> counts = bigram_counts(["anna"])
    >>> int(counts[INDEX["n"], INDEX["n"]]), int(counts[INDEX["a"], INDEX["."]]), int(counts.sum())
    (1, 1, 5)
    """
    counts = np.zeros((len(ALPHABET), len(ALPHABET)), dtype=np.int64)
    for name in names:
        for first, second in transitions(name):
            counts[INDEX[first], INDEX[second]] += 1
    return counts


@checked
def trigram_counts(names: list[str]) -> dict[str, int]:
    """Count every run of three symbols.

    Each name is preceded by two boundaries and followed by one. A trigram that never occurs has no key.
    Empty name: counts as three boundaries. No name: an empty dictionary.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.

    Args:
        names: first names, see `ngrams`.
    Returns:
        Trigram -> count, 1 or more, in the order of first occurrence.
    Raises:
        ValueError: a name holds a symbol that is not in the alphabet, or a boundary.

    Cost: O(N) for N symbols in all.

    >>> trigram_counts(["léa"])
    {'..l': 1, '.lé': 1, 'léa': 1, 'éa.': 1}
    """
    return dict(Counter(trigram for name in names for trigram in ngrams(name, order=3)))
