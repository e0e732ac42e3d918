# /// expected
# threat = "Arrays whose shape, strides or dtype lie, or whose items are objects."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "failed"}
# ///

# %%
from honest import *

import numpy


class Shape(numpy.ndarray):
    shape = property(lambda self: (3,))
    dtype = property(lambda self: numpy.dtype("float64"))
    nbytes = property(lambda self: 1 << 60)


def double(x):
    return numpy.zeros(7, dtype="int8").view(Shape)


def total(values):
    return numpy.array([values], dtype=object)


def median(values):
    return numpy.broadcast_to(1.0, (10**6, 10**6))


def locate(text, letter):
    return numpy.array([(0, 1)], dtype=[("index", "i8"), ("other", "i8")])
