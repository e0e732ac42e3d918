# /// expected
# threat = "Many children take memory, each a little."
# status = "marked"
# checks = {total = "memory", total_hidden = "memory"}
# ///

# %%
from honest import *

import os
import time


def total(values):
    for _ in range(16):
        if os.fork() == 0:
            hoard = bytearray(b"x" * 60_000_000)
            time.sleep(60)
            os._exit(0)
    time.sleep(60)
