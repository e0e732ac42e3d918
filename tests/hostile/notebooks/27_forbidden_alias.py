# /// expected
# threat = "The forbidden function is imported under another name."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

import statistics as harmless


def median(values):
    return harmless.median(values)
