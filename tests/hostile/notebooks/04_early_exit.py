# /// expected
# threat = "The notebook ends early and looks finished."
# status = "marked"
# checks = {double = "error", double_hidden = "skipped", total = "crashed", total_hidden = "crashed", median = "error", locate = "error"}
# ///

# %%
from honest import *

import os
import sys


def double(x):
    exit(0)


def total(values):
    os._exit(0)


def median(values):
    sys.exit(0)


def locate(text, letter):
    raise SystemExit("PASSED")
