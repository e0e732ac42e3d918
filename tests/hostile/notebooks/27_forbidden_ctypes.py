# /// expected
# threat = "The forbidden module is imported through Python's own C interface."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

import ctypes

get = ctypes.pythonapi.PyImport_ImportModule
get.restype = ctypes.py_object


def median(values):
    return get(b"stat" + b"istics").median(values)
