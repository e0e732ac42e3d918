# /// expected
# threat = "The forbidden function of an allowed library is fetched by a name put together at run time."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

import numpy


def median(values):
    return float(getattr(numpy, bytes(each ^ 1 for each in b"ldeh`o").decode())(values))
