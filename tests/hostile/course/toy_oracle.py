"""The right answers of the toy assignment. Not covered: being fast."""


def double(x):
    """2x."""
    return x + x


def total(values):
    """The exact sum."""
    return sum(values)


def median(values):
    """The middle value, or the mean of the middle two."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else ordered[half - 1] / 2 + ordered[half] / 2


def locate(text, letter):
    """Where `letter` stands in `text`."""
    return [index for index, each in enumerate(text) if each == letter]
