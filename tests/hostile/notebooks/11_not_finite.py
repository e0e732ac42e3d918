# /// expected
# threat = "NaN, infinities and numbers without end."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "failed"}
# ///

# %%
from honest import *

import numpy


def double(x):
    return x * float("nan")


def total(values):
    return float("inf")


def median(values):
    return float("nan")


def locate(text, letter):
    return -(10 ** 100_000)
