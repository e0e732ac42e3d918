# /// expected
# threat = "A call crashes the interpreter: a segmentation fault, an abort, a signal."
# status = "marked"
# checks = {total = "crashed", total_hidden = "crashed", median = "crashed", locate = "crashed"}
# ///

# %%
from honest import *

import ctypes
import os
import signal


def total(values):
    return ctypes.string_at(0)


def median(values):
    os.abort()


def locate(text, letter):
    os.kill(os.getpid(), signal.SIGKILL)
