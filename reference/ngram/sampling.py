"""Drawing names from a bigram model, and the exact distribution of what is drawn.

The distributions are what a test of any sampler compares with. Not covered: temperature, truncation (top-k, top-p).
"""

import numpy as np
from jaxtyping import Float64

from reference.checked import checked
from reference.ngram.alphabet import ALPHABET, BOUNDARY, INDEX, transitions
from reference.ngram.tables import require_table

MAX_LENGTH = 30  # symbols; a table may never reach the boundary, so every draw is cut here


@checked
def sample_names(probabilities: Float64[np.ndarray, "V V"], n: int, seed: int) -> list[str]:
    """Draw `n` names independently, each symbol by symbol from the row of the symbol before it.

    A draw starts at the boundary and ends at the next boundary, which is not part of the name, or after `MAX_LENGTH`
    symbols. The empty name is possible. The same seed gives the same list.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 3 (approximations by successor frequencies).
    Departs from it: names are cut at `MAX_LENGTH`.

    Args:
        probabilities: row i is the distribution of the symbol that follows symbol i.
        n: number of names, 0 or more.
        seed: 0 or more; the one source of randomness.
    Raises:
        ValueError: `n` or `seed` is negative, or rows are not distributions over the alphabet.

    Cost: O(V² + V · N) for N symbols drawn.

    >>> always_a = np.zeros((40, 40))
    >>> always_a[:, INDEX["a"]] = 1.0
    >>> sample_names(always_a, 2, seed=0) == ["a" * 30, "a" * 30]
    True
    """
    if n < 0 or seed < 0:
        raise ValueError(f"n and seed: expected 0 or more, got {n} and {seed}")
    require_table(probabilities)
    generator = np.random.default_rng(seed)
    return [_draw(probabilities, generator) for _ in range(n)]


def _draw(probabilities: Float64[np.ndarray, "V V"], generator: np.random.Generator) -> str:
    name = ""
    while len(name) < MAX_LENGTH:
        symbol = ALPHABET[generator.choice(len(ALPHABET), p=probabilities[INDEX[name[-1:] or BOUNDARY]])]
        if symbol == BOUNDARY:
            break
        name += symbol
    return name


@checked
def name_probability(name: str, probabilities: Float64[np.ndarray, "V V"]) -> float:
    """Probability that `sample_names` draws exactly `name`.

    The product of its transitions; a name of `MAX_LENGTH` symbols is cut, not ended, so its last transition (to the
    boundary) does not count. A longer name has probability 0.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1 (the chain rule for
    bigrams).
    Departs from it: names are cut at `MAX_LENGTH`.

    Args:
        name: a first name, see `ngrams`.
        probabilities: row i is the distribution of the symbol that follows symbol i.
    Raises:
        ValueError: an unknown symbol, or rows that are not distributions over the alphabet.

    Cost: O(V² + len(name)).

    >>> uniform = np.full((40, 40), 1 / 40)
    >>> name_probability("", uniform)
    0.025
    >>> name_probability("a" * 31, uniform)
    0.0
    """
    require_table(probabilities)
    pairs = transitions(name)
    if len(name) > MAX_LENGTH:
        return 0.0
    drawn = pairs[:MAX_LENGTH]
    return float(np.prod([probabilities[INDEX[first], INDEX[second]] for first, second in drawn]))


@checked
def prefix_distribution(probabilities: Float64[np.ndarray, "V V"], *, length: int) -> dict[str, float]:
    """Exact distribution of the first `length` symbols of a drawn name.

    A name that ends before is its own prefix, so length 1 gives the first symbol, or "" for the empty name, and
    `MAX_LENGTH` gives whole names. Prefixes whose probability is zero, or rounds to it, have no key.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 4 (a source as a walk through its states).

    Args:
        probabilities: row i is the distribution of the symbol that follows symbol i.
        length: 0 to `MAX_LENGTH`.
    Returns:
        Prefix -> probability, above 0; they sum to 1.
    Raises:
        ValueError: `length` is not within 0 to `MAX_LENGTH`, or rows are not distributions over the alphabet.

    Cost: O(V^length) at most: for short prefixes, or tables with few transitions.

    >>> table = np.zeros((40, 40))
    >>> table[:, INDEX["a"]], table[:, INDEX["."]] = 0.25, 0.75
    >>> prefix_distribution(table, length=2)
    {'': 0.75, 'a': 0.1875, 'aa': 0.0625}
    """
    if not 0 <= length <= MAX_LENGTH:
        raise ValueError(f"length: expected 0 to {MAX_LENGTH}, got {length}")
    require_table(probabilities)
    ended: dict[str, float] = {}
    running = {"": 1.0}
    for _ in range(length):
        longer: dict[str, float] = {}
        for prefix, mass in running.items():
            masses = mass * probabilities[INDEX[prefix[-1:] or BOUNDARY]]
            for index in np.flatnonzero(masses):
                into = ended if index == INDEX[BOUNDARY] else longer
                into[prefix + (ALPHABET[index] if into is longer else "")] = float(masses[index])
        running = longer
    return ended | running


@checked
def length_distribution(probabilities: Float64[np.ndarray, "V V"]) -> Float64[np.ndarray, " lengths"]:
    """Exact distribution of the length of a drawn name: one entry for each length from 0 to L = `MAX_LENGTH`.

    With s(t) the distribution of the t-th symbol over names that have not ended, s(t+1) = s(t) p without the boundary;
    what goes to the boundary at step t + 1 has length t, and what is left after L steps has length L.

    Source: Shannon 1948, A Mathematical Theory of Communication, section 4 (a source as a walk through its states).

    Args:
        probabilities: row i is the distribution of the symbol that follows symbol i.
    Returns:
        L + 1 probabilities that sum to 1.
    Raises:
        ValueError: rows are not distributions over the alphabet.

    Cost: O(L · V²).

    >>> lengths = length_distribution(np.full((40, 40), 1 / 40))
    >>> float(lengths[0]), round(float(lengths[30]), 4) == round((39 / 40) ** 30, 4)
    (0.025, True)
    """
    require_table(probabilities)
    lengths = np.zeros(MAX_LENGTH + 1)
    state = np.zeros(len(ALPHABET))
    state[INDEX[BOUNDARY]] = 1.0
    for length in range(MAX_LENGTH):
        state = state @ probabilities
        lengths[length] = state[INDEX[BOUNDARY]]
        state[INDEX[BOUNDARY]] = 0.0
    lengths[MAX_LENGTH] = state.sum()
    return lengths
