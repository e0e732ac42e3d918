# /// expected
# threat = "Empty files without end, until the time is over."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# cells = ["passed", "timeout", "passed"]
# ///

# %%
from honest import *

# %%
import itertools

for number in itertools.count():
    open(f"/tmp/{number}", "w").close()

# %%
def total(values):
    return 0
