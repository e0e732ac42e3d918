"""What predicting a Markov source costs, exactly: its entropy rate, and the cross-entropy of a model under it.

Both in nats per token. Not covered: estimates from a text (see `likelihood`).
"""

import math

import numpy as np
from jaxtyping import Float64
from scipy.special import entr, xlogy

from reference.checked import checked
from reference.ngram.markov import require_transitions, stationary_distribution


@checked
def entropy_rate(transitions: Float64[np.ndarray, "*C V"]) -> float:
    """What the best of all models pays for a token of a Markov source in the long run, in nats.

    H = - sum over states c of π(c) · sum over w of p(w | c) ln p(w | c), with 0 · ln 0 = 0. Order 0: the entropy of the
    distribution. One token, or a source without choice: 0.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 7; Cover and Thomas, Elements of Information
    Theory (2nd edition), theorem 4.2.4.

    Args:
        transitions: as for `stationary_distribution`, r + 1 axes of length V for a source of order r.
    Raises:
        ValueError: `transitions` is not as said, or its stationary distribution is not unique, see
            `stationary_distribution`.

    Cost: O(S³) for S = V^r states.

    >>> round(entropy_rate(np.array([[0.5, 0.5], [0.5, 0.5]])), 6)         # ln 2
    0.693147
    >>> entropy_rate(np.array([[0.0, 1.0], [1.0, 0.0]]))         # "abab…": nothing is left to chance
    0.0
    """
    states = stationary_distribution(transitions)
    return float((states * entr(transitions).sum(axis=-1)).sum())


@checked
def cross_entropy_rate(transitions: Float64[np.ndarray, "*C V"], predicted: Float64[np.ndarray, "*D V"]) -> float:
    """What a model pays for a token of a Markov source in the long run, in nats; exp of it is the perplexity.

    H(p, q) = - sum over contexts c of π(c) · sum over w of p(w | c) ln q(w | c), with contexts as long as the longer of
    the two memories. What the source never does costs nothing, whatever q says; what it does and q holds for
    impossible costs infinitely much. At least `entropy_rate`, and equal to it where q equals p wherever the source
    comes.

    Source: Cover and Thomas, Elements of Information Theory (2nd edition), theorem 5.4.3 (the wrong code), for each
    state of section 4.2's source.

    Args:
        transitions: p, the source, as for `stationary_distribution`.
        predicted: q, an array like p, of the same V tokens and of any order of its own; of a model, its
            `transition_array`.
    Raises:
        ValueError: either array is not as said, see `stationary_distribution` (q need not have a unique stationary
            distribution).

    Cost: O(S³ + V^(s+1)) for S = V^r states of the source, and s the longer of the two orders.

    >>> fair, loaded = np.array([0.5, 0.5]), np.array([0.25, 0.75])                       # coins: sources of order 0
    >>> round(cross_entropy_rate(fair, loaded), 6)                         # -(ln 1/4 + ln 3/4) / 2
    0.836988
    >>> round(cross_entropy_rate(np.array([[0.0, 1.0], [1.0, 0.0]]), fair), 6)
    0.693147
    """
    require_transitions("predicted", predicted)
    weights = stationary_distribution(transitions)
    happens = weights > 0
    for _ in range(max(transitions.ndim, predicted.ndim) - transitions.ndim + 1):
        weights = weights[..., None] * transitions  # one token longer: (V, …, V)
        happens = happens[..., None] & (transitions > 0)
    if (happens & (predicted == 0)).any():
        return math.inf  # also where the weight is too small for a float64
    return float(0.0 - xlogy(weights, predicted).sum())
