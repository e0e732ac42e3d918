# /// expected
# threat = "A cell never ends; the others count."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# cells = ["passed", "timeout", "passed"]
# ///

# %%
from honest import *

# %%
while True:
    pass

# %%
def total(values):
    return 0
