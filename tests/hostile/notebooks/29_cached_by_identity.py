# /// expected
# threat = "Answers are remembered by the identity of the argument, or by its shape."
# status = "marked"
# checks = {double_hidden = "failed", total = "failed", total_hidden = "failed"}
# ///

# %%
from honest import *

seen, shapes = {}, {}


def double(x):
    return shapes.setdefault(x.shape, 2 * x)


def total(values):
    if len(values) not in seen:
        seen[len(values)] = sum(values)
    return seen[len(values)]
