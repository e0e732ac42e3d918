"""Neural language models before the transformer, with every gradient written out by hand.

Covers cutting sequences into contexts and targets, the train/validation/test split, the softmax cross-entropy with its
gradient, the one-hot linear model (a bigram model that is learned) and the multilayer perceptron on embeddings of
Bengio et al. 2003, each with one step of gradient descent. Not covered: autograd, minibatches, momentum, weight decay,
the mixture with a trigram model.

One letter per dimension, the same in every signature: N examples, V tokens of the vocabulary, n tokens of context,
m width of an embedding, x width of a whole context (n·m), h hidden units.
"""

from reference.neural_lm.bengio import bengio_logits, bengio_loss, bengio_step
from reference.neural_lm.bengio_weights import BengioWeights, initial_bengio_weights
from reference.neural_lm.bigram import gradient_descent, maximum_likelihood_weights
from reference.neural_lm.cross_entropy import cross_entropy_and_gradient
from reference.neural_lm.linear import linear_logits, linear_loss, one_hot
from reference.neural_lm.split import split_items, split_sizes
from reference.neural_lm.windows import context_windows

__all__ = [
    "BengioWeights",
    "bengio_logits",
    "bengio_loss",
    "bengio_step",
    "context_windows",
    "cross_entropy_and_gradient",
    "gradient_descent",
    "initial_bengio_weights",
    "linear_logits",
    "linear_loss",
    "maximum_likelihood_weights",
    "one_hot",
    "split_items",
    "split_sizes",
]
