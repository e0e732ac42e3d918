# /// expected
# threat = "Answers are memory that nobody filled, in the hope that it still holds the right one."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "failed"}
# ///

# %%
from honest import *

import numpy


def double(x):
    return numpy.empty_like(x)


def total(values):
    return int(numpy.empty(1, dtype="int64")[0])


def median(values):
    return float(numpy.empty(1)[0])


def locate(text, letter):
    return numpy.empty(len(text), dtype="int64").tolist()
