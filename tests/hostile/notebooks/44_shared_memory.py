# /// expected
# threat = "Memory is taken where no process owns it: files in memory, then pages that children would share."
# status = "marked"
# checks = {total = "memory", total_hidden = "memory"}
# ///

# %%
from honest import *

import mmap
import os

for number in range(64):
    try:
        os.write(os.memfd_create(f"hoard-{number}"), bytes(20_000_000))
    except OSError:
        break


def total(values):
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 20_000_000, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))
        kept[-1].write(b"x" * 20_000_000)
