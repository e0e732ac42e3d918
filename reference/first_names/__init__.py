"""First names from counts to a small neural network: the oracle of one lesson, with names, NumPy and plain numbers.

What is counted is of `reference.ngram` and stands here under the same names. Added to it: the split of the names,
contexts of n symbols, the one-hot model's loss, and the scores and the training of the perceptron of
`reference.neural_lm`. Not covered: other alphabets, direct connections from the context to the scores.

One letter per dimension, the same in every signature: V symbols of the alphabet, N examples, n symbols of context.
"""

from reference.first_names.examples import context_windows, split_names
from reference.first_names.scores import linear_loss, mlp_logits
from reference.first_names.training import train_mlp
from reference.ngram import average_nll as average_nll
from reference.ngram import bigram_counts as bigram_counts
from reference.ngram import bigram_probabilities as bigram_probabilities
from reference.ngram import length_distribution as length_distribution
from reference.ngram import prefix_distribution as prefix_distribution
from reference.ngram import sample_names as sample_names
from reference.ngram import transition_table as transition_table
from reference.ngram import trigram_counts as trigram_counts
from reference.ngram import trigram_probability as trigram_probability

__all__ = ["context_windows", "linear_loss", "mlp_logits", "split_names", "train_mlp"]
