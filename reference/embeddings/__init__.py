"""Word vectors, counted and learned: from co-occurrence to PPMI and SVD, tf-idf, cosines, and skip-gram.

Covers counting in windows and in documents, weighting (PPMI, tf-idf), truncated SVD, nearest neighbours, and skip-gram
with negative sampling with its gradients by hand. Dense tables, meant for small vocabularies. Not covered: subsampling
of frequent words, GloVe, hierarchical softmax, subwords, sparse storage, approximate search.

One letter per dimension, the same in every signature: V tokens of the vocabulary, D documents, N examples, K negatives
of an example, m width of a vector, R rows and C columns of any table.
"""

from reference.embeddings.counts import cooccurrence, document_term_counts
from reference.embeddings.negatives import draw_negatives, negative_distribution
from reference.embeddings.ppmi import ppmi
from reference.embeddings.similarity import cosine_similarity, nearest_neighbours, unit_rows
from reference.embeddings.skipgram import skipgram_loss, skipgram_pairs, skipgram_step
from reference.embeddings.svd import truncated_svd
from reference.embeddings.tfidf import inverse_document_frequency, tfidf

__all__ = [
    "cooccurrence",
    "cosine_similarity",
    "document_term_counts",
    "draw_negatives",
    "inverse_document_frequency",
    "nearest_neighbours",
    "negative_distribution",
    "ppmi",
    "skipgram_loss",
    "skipgram_pairs",
    "skipgram_step",
    "tfidf",
    "truncated_svd",
    "unit_rows",
]
