"""Train, validation and test sets: whole items, disjoint, exhaustive. Not covered: stratified splits, folds."""

import math
from fractions import Fraction
from typing import TypeVar

import numpy as np

from reference.checked import checked
from reference.values import at_least, distribution

Item = TypeVar("Item")


@checked
def split_sizes(n_items: int, fractions: tuple[float | int, float | int, float | int]) -> tuple[int, int, int]:
    """Share `n_items` among train, validation and test as closely to `fractions` as whole items allow.

    quota = fraction · n_items. Every part gets its quota rounded down; the items that remain go, one each, to the parts
    with the largest remainders. Ties: the earlier part (train, validation, test). So no size is a whole item or more
    away from its quota, and a fraction of 0 gives 0 items.
    Fractions are read as the decimals that Python writes for them (0.7 is seven tenths) and divided by their sum, so
    binary rounding decides nothing. 0 items: three empty parts; 1 item: goes to the largest fraction.

    Source: Balinski and Young, Fair Representation (1982) (Hamilton's method of largest remainders).
    Departs from it: ties are decided.

    Args:
        n_items: 0 or more.
        fractions: of train, validation and test; not negative, summing to 1 within 1e-9.
    Returns:
        Sizes of train, validation and test, which sum to `n_items`.
    Raises:
        ValueError: `n_items` or a fraction is negative, or the fractions do not sum to 1.

    Cost: O(1).

    >>> split_sizes(10, (0.8, 0.1, 0.1))
    (8, 1, 1)
    >>> split_sizes(5, (0.7, 0.2, 0.1))                              # quotas 3.5, 1, 0.5: a tie, train comes first
    (4, 1, 0)
    """
    at_least("n_items", n_items, 0)
    distribution("fractions", np.array(fractions, dtype=np.float64))
    decimals = [Fraction(str(float(fraction))) for fraction in fractions]
    quotas = [n_items * decimal / sum(decimals) for decimal in decimals]
    sizes = [math.floor(quota) for quota in quotas]
    largest_remainder_first = sorted(range(3), key=lambda part: sizes[part] - quotas[part])  # stable: ties in order
    for part in largest_remainder_first[: n_items - sum(sizes)]:
        sizes[part] += 1
    return sizes[0], sizes[1], sizes[2]


@checked
def split_items(
    items: list[Item],
    *,
    fractions: tuple[float | int, float | int, float | int],
    rng: np.random.Generator,
) -> tuple[list[Item], list[Item], list[Item]]:
    """Shuffle `items` and deal them out to a training, a validation and a test set.

    order = rng.permutation(len(items)), drawn once, also for 0 or 1 items; the first items in that order are the
    training set, the next ones the validation set, the last ones the test set; sizes as `split_sizes` says.
    Every item goes to one part, whole: split documents first and cut windows after, or the parts share text. Items that
    are equal are separate items. `items` itself is left as it was.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2nd edition), section 7.2.

    Args:
        items: documents, names, pages: whatever must not be cut in two.
        fractions: of train, validation and test; not negative, summing to 1 within 1e-9.
        rng: NumPy's generator.
    Returns:
        Training, validation and test items, each in shuffled order.
    Raises:
        ValueError: a fraction is negative, or they do not sum to 1.

    Cost: O(number of items).

    >>> parts = split_items(list("abcdefghij"), fractions=(0.6, 0.2, 0.2), rng=np.random.default_rng(0))
    >>> [len(part) for part in parts], "".join(sorted(sum(parts, [])))
    ([6, 2, 2], 'abcdefghij')
    """
    n_train, n_validation, _ = split_sizes(len(items), fractions)
    shuffled = [items[position] for position in rng.permutation(len(items))]
    after_validation = n_train + n_validation
    return shuffled[:n_train], shuffled[n_train:after_validation], shuffled[after_validation:]
