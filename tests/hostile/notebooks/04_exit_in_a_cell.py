# /// expected
# threat = "A cell ends the kernel with status 0; what stands in other cells still counts."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# cells = ["passed", "crashed", "passed"]
# ///

# %%
from honest import *

# %%
import os

os._exit(0)

# %%
def total(values):
    return 0
