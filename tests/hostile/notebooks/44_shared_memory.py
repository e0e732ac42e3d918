# /// expected
# threat = "Memory is taken where no process owns it: shared pages and files in memory."
# status = "marked"
# checks = {total = "memory", total_hidden = "memory"}
# ///

# %%
from honest import *

import mmap
import os


def total(values):
    kept = []
    while True:
        number = os.memfd_create("hoard")
        os.ftruncate(number, 20_000_000)
        kept.append(mmap.mmap(number, 20_000_000))
        kept[-1].write(b"x" * 20_000_000)
