"""The right answers of the assignment `steps`."""


def total(values: list[int]) -> int:
    """The sum."""
    return sum(values)


def largest(values: list[int]) -> int:
    """The largest."""
    return max(values)


def sign(x: int) -> int:
    """1 from zero on, else -1."""
    return 1 if x >= 0 else -1
