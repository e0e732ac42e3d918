"""What a bigram model thinks of given names, in nats. Not covered: bits per byte of a text, a metric of its own."""

import math

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.ngram.alphabet import INDEX, transitions
from reference.ngram.tables import require_table


@checked
def transition_table(name: str, probabilities: Float64[np.ndarray, "V V"]) -> list[tuple[str, str, float]]:
    """List the transitions of `name` with their probabilities, from the initial boundary to the final one.

    Empty name: the single transition from boundary to boundary.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1 (the chain rule for
    bigrams).

    Args:
        name: a first name, see `ngrams`.
        probabilities: row i is the distribution of the symbol that follows symbol i.
    Returns:
        len(name) + 1 triples (symbol, next symbol, probability).
    Raises:
        ValueError: an unknown symbol, or rows that are not distributions over the alphabet.

    Cost: O(V² + len(name)); V² for checking the table.

    >>> transition_table("al", np.full((40, 40), 1 / 40))
    [('.', 'a', 0.025), ('a', 'l', 0.025), ('l', '.', 0.025)]
    """
    require_table(probabilities)
    return [(first, second, float(probabilities[INDEX[first], INDEX[second]])) for first, second in transitions(name)]


@checked
def average_nll(names: list[str], probabilities: Float64[np.ndarray, "V V"]) -> float:
    """Average negative log-likelihood of one transition, in nats.

    nll = -(1/M) · sum of ln p(next symbol | symbol) over all M transitions of all names: every transition weighs the
    same, so a long name weighs more than a short one. A transition of probability zero makes it infinite.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), section 3.3;
    exp(nll) is the perplexity per symbol.

    Args:
        names: at least one first name, see `ngrams`.
        probabilities: row i is the distribution of the symbol that follows symbol i.
    Raises:
        ValueError: no names, an unknown symbol, or rows that are not distributions over the alphabet.

    Cost: O(V² + N) for N symbols in all.

    >>> average_nll(["al", ""], np.full((40, 40), 1 / 40)) == math.log(40)
    True
    """
    if not names:
        raise ValueError("names: expected at least one, got none")
    require_table(probabilities)
    pairs = [pair for name in names for pair in transitions(name)]
    likelihoods = [float(probabilities[INDEX[first], INDEX[second]]) for first, second in pairs]
    if min(likelihoods) == 0:
        return math.inf
    return math.fsum(-math.log(likelihood) for likelihood in likelihoods) / len(likelihoods)
