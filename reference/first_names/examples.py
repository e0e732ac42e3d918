"""From first names to examples: which are learned from, and each context with its target. Not covered: batches."""

import numpy as np
from jaxtyping import Int64

from reference.checked import checked
from reference.neural_lm import context_windows as windows_of
from reference.ngram import ALPHABET, BOUNDARY, transitions
from reference.values import at_least


@checked
def split_names(names: list[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Shuffle `names` and deal them out to a training, a validation and a test set.

    Validation and test get ⌊N / 10⌋ names each, training what is left. Fewer than 10 names: all of them train.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2nd edition), section 7.2.
    Departs from it: a tenth each, rounded down, instead of a quarter.

    Args:
        names: each is dealt out whole and once.
        seed: 0 or more; the one source of randomness.
    Returns:
        Training, validation and test names, in shuffled order.
    Raises:
        ValueError: `seed` is negative.

    Cost: O(N).

    >>> [len(part) for part in split_names(list("abcdefghijklmno"), 1)]
    [13, 1, 1]
    """
    at_least("seed", seed, 0)
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    tenth = len(names) // 10
    return shuffled[2 * tenth :], shuffled[:tenth], shuffled[tenth : 2 * tenth]


@checked
def context_windows(names: list[str], n: int) -> tuple[Int64[np.ndarray, "N n"], Int64[np.ndarray, " N"]]:
    """Every symbol of the names, the final boundaries included, with the `n` symbols before it.

    Symbols are places in the alphabet. A name is preceded by n boundaries and followed by one. Order: by name, then by
    position; the oldest symbol of a context first.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 2.
    Departs from it: boundaries fill the context at the start; n counts the context alone.

    Args:
        names: first names, see `reference.ngram.ngrams`.
        n: 1 or more.
    Returns:
        Contexts and targets: N = the names' symbols and one more for each name.
    Raises:
        ValueError: a name holds a symbol that is not in the alphabet, or a boundary; or `n` is below 1.

    Cost: O(N·n).

    >>> contexts, targets = context_windows(["ab"], 2)
    >>> contexts.tolist(), targets.tolist()
    ([[0, 0], [0, 1], [1, 2]], [1, 2, 0])
    """
    sequences = [[ALPHABET.index(symbol) for symbol, _ in transitions(name)[1:]] for name in names]
    contexts, targets = windows_of(
        sequences, n_context=n, n_tokens=len(ALPHABET), boundary=ALPHABET.index(BOUNDARY), device="cpu"
    )
    return contexts.numpy(), targets.numpy()
