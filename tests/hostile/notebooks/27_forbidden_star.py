# /// expected
# threat = "The forbidden function comes with a star import."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

from numpy import *


def middle(values):
    return median(values)
