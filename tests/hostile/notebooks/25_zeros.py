# /// expected
# threat = "Every answer is zero."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "failed", counter = "failed"}
# ///

# %%
from honest import *

import numpy


def double(x):
    return numpy.zeros_like(x)


def total(values):
    return 0


def median(values):
    return 0.0


class Nothing:
    def add(self, n):
        pass

    def value(self):
        return 0


make_counter = Nothing


def locate(text, letter):
    return [0]
