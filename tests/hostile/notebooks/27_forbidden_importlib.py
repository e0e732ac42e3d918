# /// expected
# threat = "The forbidden module is imported by a name that is put together at run time."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

import importlib

module = importlib.import_module("".join(reversed("scitsitats")))


def median(values):
    return module.median(values)
