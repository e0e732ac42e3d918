# /// expected
# threat = "The work is done in half the precision."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", median = "failed"}
# ///

# %%
from honest import *

import numpy


def double(x):
    return (2 * x.astype("float32")).astype("float64")


def median(values):
    ordered, half = numpy.sort(numpy.array(values, dtype="float16")), len(values) // 2
    return float(ordered[half])
