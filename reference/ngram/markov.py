"""A Markov source of any finite order: a text whose distribution is known exactly, as a model among others.

Covers the stationary distribution and the source as a `Model`, so that it is sampled and evaluated like any. Not
covered: its entropy (see `entropy`), and sources that start anywhere else than in the stationary distribution.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float64
from scipy.sparse.csgraph import connected_components

from reference.checked import checked
from reference.ngram.model import Model
from reference.values import distribution


@checked
def stationary_distribution(transitions: Float64[np.ndarray, "*C V"]) -> Float64[np.ndarray, "*C"]:
    """How often a Markov source is in each of its states, in the long run.

    A state is the last r tokens of a source of order r. π is the solution of
    π(c₂ … c_r, w) = sum over c₁ of π(c₁ … c_r) · p(w | c₁ … c_r) that sums to 1. A state that is left for ever has
    probability exactly 0. A source whose states come round periodically has a stationary distribution like any other.
    Order 0 has one state, of probability 1.

    Source: Grassmann, Taksar and Heyman 1985, Regenerative analysis and steady state distributions for Markov chains
    (Operations Research 33(5)): elimination without subtraction; O'Cinneide 1993 (Numerische Mathematik 65) for
    why each entry, however small, then has a small relative error.

    Args:
        transitions: entry[i, …, j, k] = p(token k | token i, …, token j): r + 1 axes of length V; r = 1 is the usual
            matrix whose rows sum to 1.
    Returns:
        π, with r axes of length V.
    Raises:
        ValueError: there is no token, an axis has another length, the last axis is no distribution, π is not unique
            (the source can end up in either of two sets of states, for ever), or its entries differ by more than
            float64 can hold with all its digits.

    Cost: O(S³) time and O(S²) memory for S = V^r states.

    >>> stationary_distribution(np.array([[0.9, 0.1], [0.3, 0.7]]))
    array([0.75, 0.25])
    >>> stationary_distribution(np.array([[0.0, 1.0], [0.0, 1.0]]))           # the first state is left for ever
    array([0., 1.])
    """
    require_transitions("transitions", transitions)
    chain = _chain(transitions)
    recurrent = _recurrent(chain)
    states = np.zeros(len(chain))
    states[recurrent] = _eliminated(chain[np.ix_(recurrent, recurrent)])
    return states.reshape(transitions.shape[:-1])


def require_transitions(name: str, transitions: Float64[np.ndarray, "*C V"]) -> None:
    """Hold an array to one distribution over V tokens after each context of as many tokens as there are other axes.

    Raises:
        ValueError: there is no token, an axis has another length, or the last axis is no distribution.
    """
    if 0 in transitions.shape or len(set(transitions.shape)) > 1:
        raise ValueError(f"{name}: expected axes of one length, 1 or more, got shape {transitions.shape}")
    distribution(name, transitions)


def _chain(transitions: Float64[np.ndarray, "*C V"]) -> Float64[np.ndarray, "S S"]:
    """The source as a chain of order 1, whose states are the contexts: (c₁ … c_r) goes to (c₂ … c_r, w)."""
    n_tokens = transitions.shape[-1]
    rows = transitions.reshape(-1, n_tokens)  # (S, V)
    state, token = np.indices(rows.shape)
    chain = np.zeros((len(rows), len(rows)))
    np.add.at(chain, (state, (state * n_tokens + token) % len(rows)), rows)
    return chain


def _recurrent(chain: Float64[np.ndarray, "S S"]) -> list[int]:
    """The only set of states that reach each other and nothing else."""
    n_sets, member_of = connected_components(chain > 0, directed=True, connection="strong")
    leaves = (chain > 0) & (member_of[:, None] != member_of[None, :])
    closed = set(range(n_sets)) - {int(one) for one in member_of[leaves.any(axis=1)]}
    if len(closed) > 1:
        raise ValueError(f"transitions: expected one closed set of states, got {len(closed)}")
    return [int(state) for state in np.flatnonzero(member_of == closed.pop())]


def _eliminated(chain: Float64[np.ndarray, "R R"]) -> Float64[np.ndarray, " R"]:
    """Stationary distribution where every state reaches every other: all but one are taken out, then put back."""
    # Only ratios count, so a factor changes nothing; this one keeps products of rare steps from losing digits.
    chain, weights = np.ldexp(chain, 960), np.ones(len(chain))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for last in range(len(chain) - 1, 0, -1):
            chain[:last, last] /= chain[last, :last].sum()
            chain[:last, :last] += np.outer(chain[:last, last], chain[last, :last])
        for state in range(1, len(chain)):
            weights[state] = weights[:state] @ chain[:state, state]
        shares: Float64[np.ndarray, " R"] = weights / weights.sum()
    if not (np.isfinite(shares).all() and shares.min() >= np.finfo(np.float64).tiny):  # below, digits are lost
        raise ValueError("transitions: expected states whose probabilities differ by less than 1e308, got more")
    return shares


class MarkovSource(Model):
    """A stationary source of order r: each token depends on the r before it, by a known rule.

    p(w | c₁ … c_r) is an entry of `transitions`. After a context c of fewer than r tokens, at the beginning of a text,
    the source is anywhere in its stationary distribution that fits: p(w | c) = π(c w) / (sum over v of π(c v)), where
    π(c w) sums the stationary distribution over all that may have come before; c of probability zero: uniform, 1/V.
    So `probabilities` of a whole text multiply to its exact probability under the source, and `sample_tokens` draws
    from it.

    Source: Shannon 1948, A Mathematical Theory of Communication, sections 4 and 5; Cover and Thomas, Elements of
    Information Theory (2nd edition), section 4.1.

    Args:
        transitions: as for `stationary_distribution`, r + 1 axes of length V.
        vocabulary: V distinct tokens, in the order of the axes; unlike other models' contexts, the source's hold no
            other token.
    Raises:
        ValueError: the vocabulary has another size or repeats a token, or `transitions` is not as said, see
            `stationary_distribution`.

    Cost: O(S³) to build for S = V^r states; O(V) for one probability.

    >>> source = MarkovSource(np.array([[0.9, 0.1], [0.3, 0.7]]), "ab")
    >>> source.probabilities("ab")                        # first the stationary 3/4, then from "a" to "b"
    array([0.75, 0.1 ])
    """

    @checked
    def __init__(self, transitions: Float64[np.ndarray, "*C V"], vocabulary: Sequence[Hashable]) -> None:
        super().__init__(vocabulary, order=transitions.ndim)
        if len(vocabulary) != transitions.shape[-1]:
            raise ValueError(f"vocabulary: expected {transitions.shape[-1]} tokens, got {len(vocabulary)}")
        self._states = stationary_distribution(transitions)
        self._transitions = transitions.copy()

    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        return float(self._distribution(context)[self._index[token]])

    def _distribution(self, context: tuple[Hashable, ...]) -> Float64[np.ndarray, " V"]:
        for token in context:
            if token not in self._index:
                raise ValueError(f"context: expected tokens of the vocabulary, got {token!r}")
        at = tuple(self._index[token] for token in context)
        n_missing = self.order - 1 - len(context)
        if n_missing == 0:
            row: Float64[np.ndarray, " V"] = self._transitions[at].copy()
            return row
        joint = self._states.sum(axis=tuple(range(n_missing - 1)))[at]  # (V,)
        total = joint.sum()
        return joint / total if total > 0 else np.full(len(joint), 1 / len(joint))
