# /// expected
# threat = "Processes multiply."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# ///

# %%
from honest import *

import os


def total(values):
    while True:
        try:
            os.fork()
        except OSError:
            pass
