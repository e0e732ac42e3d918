# /// expected
# threat = "The library's source is read as text and executed: no import takes place."
# status = "marked"
# checks = {}
# accepted = "A copy is code like any other: comparing notebooks finds it, not the import policy."
# ///

# %%
from honest import *

import os
import types

with open(os.path.join(os.path.dirname(os.__file__), "stat" + "istics.py")) as file:
    copied = types.ModuleType("copied")
    exec(file.read(), vars(copied))


def median(values):
    return copied.median(values)
