# /// expected
# threat = "A call takes memory without end."
# status = "marked"
# checks = {total = "memory", total_hidden = "memory"}
# ///

# %%
from honest import *

def total(values):
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * 10_000_000))
