# /// expected
# threat = "Generators that never end, objects that compute when they are looked at."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "failed", counter = "failed"}
# ///

# %%
from honest import *

import itertools


class Lazy:
    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self

    def __iter__(self):
        while True:
            yield 0

    def __int__(self):
        return 10 ** 10 ** 9

    def __repr__(self):
        return "x" * 10**8


def double(x):
    return (value for value in itertools.count())


def total(values):
    return Lazy()


def median(values):
    return map(float, itertools.repeat(0))


def make_counter():
    return Lazy()


def locate(text, letter):
    return range(10**12)
