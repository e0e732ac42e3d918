# /// expected
# threat = "The forbidden function is taken from the library's inner module."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

import importlib


def median(values):
    inner = importlib.import_module("numpy.lib._function_base_impl")
    return float(vars(inner)["med" + "ian"](values))
