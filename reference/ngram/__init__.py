"""Character n-gram models of first names: counting, smoothing, evaluating, sampling.

Covers bigrams and trigrams with additive smoothing. Not covered: reading a file of names, and any normalisation of
them (names come in lower case, composed Unicode, without the boundary symbol).

One letter per dimension, the same in every signature: V symbols of the alphabet.
"""

from reference.ngram.alphabet import ALPHABET, BOUNDARY, ngrams, transitions
from reference.ngram.counts import bigram_counts, trigram_counts
from reference.ngram.evaluation import average_nll, transition_table
from reference.ngram.sampling import (
    MAX_LENGTH,
    length_distribution,
    name_probability,
    prefix_distribution,
    sample_names,
)
from reference.ngram.smoothing import bigram_probabilities, trigram_probability

__all__ = [
    "ALPHABET",
    "BOUNDARY",
    "MAX_LENGTH",
    "average_nll",
    "bigram_counts",
    "bigram_probabilities",
    "length_distribution",
    "name_probability",
    "ngrams",
    "prefix_distribution",
    "sample_names",
    "transition_table",
    "transitions",
    "trigram_counts",
    "trigram_probability",
]
