"""Rules about values that the learned models share: token ids in lists of Python integers, and learning rates.

Covers what `reference.values` does not; ids that are already in a tensor or array are held there.
"""


def known_ids(name: str, sequences: list[list[int]], n_tokens: int) -> None:
    """Hold every entry of every sequence to an integer from 0 to n_tokens - 1.

    Each entry is looked at: `@checked` draws one of a list, and a 0.5 would pass for 0 once it is in an array.

    Raises:
        TypeError: an entry is not an integer.
        ValueError: an id is negative, or `n_tokens` or more.

    >>> known_ids("sequences", [[0, 1], [2]], n_tokens=2)
    Traceback (most recent call last):
    ValueError: sequences: expected token ids from 0 to 1, got 2
    """
    for sequence in sequences:
        for token in sequence:
            if not isinstance(token, int):
                raise TypeError(f"{name}: expected integers, got {token!r}")
            if not 0 <= token < n_tokens:
                raise ValueError(f"{name}: expected token ids from 0 to {n_tokens - 1}, got {token}")


def above_zero(name: str, value: float) -> None:
    """Hold `value` to a finite number above 0.

    Raises:
        ValueError: it is 0, negative, infinite or NaN.

    >>> above_zero("learning_rate", 0.0)
    Traceback (most recent call last):
    ValueError: learning_rate: expected a finite number above 0, got 0.0
    """
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected a finite number above 0, got {value}")
