# /// expected
# threat = "A call never returns from C, where no interrupt is looked at."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# ///

# %%
from honest import *

import itertools


def total(values):
    return sum(itertools.repeat(0))
