# /// expected
# threat = "Every file descriptor is used up, in a call."
# status = "marked"
# proven_by = "the double, median and other checks that come after it"
# checks = {}
# ///

# %%
from honest import *

import os

kept = []


def use_up():
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass


def total(values):
    use_up()
    result = 0
    for value in values:
        result += value
    return result

