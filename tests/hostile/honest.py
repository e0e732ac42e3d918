"""The right solution, beside every hostile notebook: each takes it all, then replaces what it attacks."""

import numpy as np


def double(x):
    return 2 * np.asarray(x)


def total(values):
    result = 0
    for value in values:
        result += value
    return result


def median(values):
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class Counter:
    def __init__(self):
        self.sum = 0

    def add(self, n):
        self.sum += n

    def value(self):
        return self.sum


def make_counter():
    return Counter()


def locate(text, letter):
    return [index for index in range(len(text)) if text[index] == letter]
