"""N-gram models of characters and words: counting, smoothing, evaluating, sampling; and sources of known entropy.

Covers any order with additive smoothing, interpolation and interpolated Kneser–Ney, over any tokens; Markov sources
with their exact entropy and cross-entropy; and, as tables over an alphabet of 40 symbols, bigrams and trigrams of first
names. Not covered: reading a file, cutting a text into words, any normalisation of it, and finding the parameters of a
smoothing.

One letter per dimension, the same in every signature: V symbols or tokens of the vocabulary, N tokens of a text, C and
D contexts (one axis of length V for each token of the context), S states, R recurrent states.
"""

from reference.ngram.additive import AddK
from reference.ngram.alphabet import ALPHABET, BOUNDARY, ngrams, transitions
from reference.ngram.counts import bigram_counts, trigram_counts
from reference.ngram.entropy import cross_entropy_rate, entropy_rate
from reference.ngram.evaluation import average_nll, transition_table
from reference.ngram.fast_counts import character_ngram_counts
from reference.ngram.generation import sample_tokens
from reference.ngram.interpolation import Interpolated
from reference.ngram.kneser_ney import KneserNey
from reference.ngram.likelihood import mean_nll, perplexity, token_nll
from reference.ngram.markov import MarkovSource, stationary_distribution
from reference.ngram.model import Model, transition_array
from reference.ngram.sampling import (
    MAX_LENGTH,
    length_distribution,
    name_probability,
    prefix_distribution,
    sample_names,
)
from reference.ngram.sequences import counts_by_order, ngram_counts, padded, with_unknown
from reference.ngram.smoothing import bigram_probabilities, trigram_probability

__all__ = [
    "ALPHABET",
    "BOUNDARY",
    "MAX_LENGTH",
    "AddK",
    "Interpolated",
    "KneserNey",
    "MarkovSource",
    "Model",
    "average_nll",
    "bigram_counts",
    "bigram_probabilities",
    "character_ngram_counts",
    "counts_by_order",
    "cross_entropy_rate",
    "entropy_rate",
    "length_distribution",
    "mean_nll",
    "name_probability",
    "ngram_counts",
    "ngrams",
    "padded",
    "perplexity",
    "prefix_distribution",
    "sample_names",
    "sample_tokens",
    "stationary_distribution",
    "token_nll",
    "transition_array",
    "transition_table",
    "transitions",
    "trigram_counts",
    "trigram_probability",
    "with_unknown",
]
