"""What a model thinks of a text: negative log-likelihood and perplexity, in nats. Not covered: bits per byte."""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.ngram.model import Model


@checked
def token_nll(
    model: Model, tokens: Sequence[Hashable], *, context: Sequence[Hashable] = ()
) -> Float64[np.ndarray, " N"]:
    """Negative log-likelihood of every token of a text, in nats.

    nll[i] = -ln p(token i | what comes before it). Probability zero: infinite. No token: an empty array. They sum to
    the negative log-likelihood of the whole text.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), section 3.3.

    Args:
        model: gives the probabilities.
        tokens: N tokens of the model's vocabulary.
        context: what comes before the text, such as start symbols; it is read, not counted.
    Raises:
        ValueError: a token is not in the vocabulary.

    Cost: N probabilities.

    >>> from reference.ngram import AddK, counts_by_order
    >>> model = AddK(counts_by_order(["aab"], order=2), "ab", k=0)
    >>> token_nll(model, "ab", context="a").round(3)
    array([0.693, 0.693])
    >>> token_nll(AddK(counts_by_order(["a"], order=1), "ab", k=0), "ab")
    array([ 0., inf])
    """
    with np.errstate(divide="ignore"):
        nll: Float64[np.ndarray, " N"] = 0.0 - np.log(model.probabilities(tokens, context))
    return nll  # subtracted, since -ln 1 would be -0


@checked
def mean_nll(model: Model, tokens: Sequence[Hashable], *, context: Sequence[Hashable] = ()) -> float:
    """Average negative log-likelihood of one token of a text, in nats: its cross-entropy under the model.

    A single token of probability zero makes it infinite.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), section 3.7.

    Args:
        model: gives the probabilities.
        tokens: N tokens of the model's vocabulary, at least one.
        context: what comes before the text, such as start symbols; it is read, not counted.
    Raises:
        ValueError: there is no token, or one is not in the vocabulary.

    Cost: N probabilities.

    >>> from reference.ngram import AddK
    >>> mean_nll(AddK([{}], "abcd", k=1), "abba") == math.log(4)
    True
    """
    if not tokens:
        raise ValueError("tokens: expected at least one, got none")
    return math.fsum(token_nll(model, tokens, context=context)) / len(tokens)


@checked
def perplexity(model: Model, tokens: Sequence[Hashable], *, context: Sequence[Hashable] = ()) -> float:
    """exp of the average negative log-likelihood: how many equally probable tokens the model hesitates between.

    perplexity = exp(-(1/N) · sum of ln p(token i | what comes before it)). A token of probability zero makes it
    infinite, and so does an average beyond the largest float64.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), section 3.3.

    Args:
        model: gives the probabilities.
        tokens: N tokens of the model's vocabulary, at least one.
        context: what comes before the text, such as start symbols; it is read, not counted.
    Raises:
        ValueError: there is no token, or one is not in the vocabulary.

    Cost: N probabilities.

    >>> from reference.ngram import AddK
    >>> round(perplexity(AddK([{}], "abcd", k=1), "abba"), 12)
    4.0
    """
    with np.errstate(over="ignore"):
        return float(np.exp(mean_nll(model, tokens, context=context)))
