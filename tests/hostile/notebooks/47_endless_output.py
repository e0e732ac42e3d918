# /// expected
# threat = "Output without end, in a cell and in a call."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# cells = ["passed", "timeout", "passed"]
# truncated = true
# ///

# %%
from honest import *

# %%
while True:
    print("spam" * 1000)

# %%
def total(values):
    while True:
        print("spam" * 1000)
