"""From counts of names to probabilities, by additive smoothing. Not covered: any other order (see `additive`)."""

import sys
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int

from reference.checked import checked
from reference.ngram.alphabet import ALPHABET


@checked
def bigram_probabilities(counts: Int[np.ndarray, "V V"], k: float | int) -> Float64[np.ndarray, "V V"]:
    """Turn each row of counts into the smoothed distribution of the next symbol.

    p[i, j] = (counts[i, j] + k) / (sum over m of counts[i, m] + k · V).
    A row whose smoothed total is zero (nothing counted, k = 0) is uniform, 1/V.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), section 3.6 (add-k
    smoothing).
    Departs from it: unseen contexts with k = 0 have a value.

    Args:
        counts: any square table of counts, not negative.
        k: additive smoothing, finite and not negative; 0 is the maximum-likelihood estimate.
    Returns:
        Rows that sum to 1.
    Raises:
        ValueError: the table is empty, a count or `k` is negative, or k · V is not finite.

    Cost: O(V²).

    >>> bigram_probabilities(np.array([[3, 1], [0, 0]]), k=0)
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    >>> bigram_probabilities(np.array([[3, 1], [0, 0]]), k=1)[0].round(3)
    array([0.667, 0.333])
    """
    require_smoothing(k)
    require_smoothing(k * len(counts), name="k · V")
    if not len(counts):
        raise ValueError("counts: expected at least one symbol, got an empty table")
    if (counts < 0).any():
        raise ValueError(f"counts: expected 0 or more, got {counts.min()}")
    smoothed = counts + float(k)
    totals = smoothed.sum(axis=1, keepdims=True)
    seen = totals > 0
    return np.where(seen, smoothed / np.where(seen, totals, 1.0), 1 / len(counts))


@checked
def trigram_probability(counts: Mapping[str, int], context: str, symbol: str, k: float | int) -> float:
    """Smoothed probability of `symbol` after the two symbols of `context`.

    p = (counts[context + symbol] + k) / (sum over s of counts[context + s] + k · V), over all V symbols s of
    `ALPHABET`; a trigram without a key counts 0. Smoothed total zero (context unseen, k = 0): 1/V.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft of January 2025), section 3.6 (add-k
    smoothing).
    Departs from it: unseen contexts with k = 0 have a value.

    Args:
        counts: as `trigram_counts` returns them.
        context: two symbols of `ALPHABET`.
        symbol: one symbol of `ALPHABET`.
        k: additive smoothing, finite and not negative.
    Raises:
        ValueError: `k` or a count after `context` is negative, k · V is not finite, or `context` or `symbol` is not as
            said.

    Cost: O(V).

    >>> counts = {"..l": 3, "..z": 1}
    >>> trigram_probability(counts, "..", "l", k=0)
    0.75
    >>> trigram_probability(counts, "..", "l", k=1) == (3 + 1) / (4 + 40)
    True
    >>> trigram_probability(counts, "qx", "l", k=0)
    0.025
    """
    require_smoothing(k)
    require_smoothing(k * len(ALPHABET), name="k · V")
    _require_symbols("context", context, length=2)
    _require_symbols("symbol", symbol, length=1)
    followers = [counts.get(context + follower, 0) for follower in ALPHABET]
    if min(followers) < 0:
        raise ValueError(f"counts after {context!r}: expected 0 or more, got {min(followers)}")
    total = sum(followers) + k * len(ALPHABET)
    return (counts.get(context + symbol, 0) + k) / total if total > 0 else 1 / len(ALPHABET)


def require_smoothing(k: float, *, name: str = "k") -> None:
    """Hold `k`, or what is made of it under another name, to what may be added to a count.

    Raises:
        ValueError: it is negative or not finite.
    """
    if not 0 <= k <= sys.float_info.max:  # an integer may be finite and yet no float64
        raise ValueError(f"{name}: expected a finite number, 0 or more, got {k}")


def _require_symbols(name: str, value: str, *, length: int) -> None:
    if len(value) != length or not set(value) <= set(ALPHABET):
        raise ValueError(f"{name}: expected {length} symbol(s) of {ALPHABET!r}, got {value!r}")
