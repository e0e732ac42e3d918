# /// expected
# threat = "A recursion runs into the end of the stack."
# status = "marked"
# checks = {total = "crashed", total_hidden = "crashed", median = "crashed"}
# ///

# %%
from honest import *

import sys

sys.setrecursionlimit(10**9)


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")


def total(values):
    value = []
    for _ in range(10**6):
        value = [value]
    return str(value)


def median(values):
    return repr(Deep().x)
