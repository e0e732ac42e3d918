# /// expected
# threat = "What a call returns never lets itself be destroyed."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# ///

# %%
from honest import *

class Endless:
    def __del__(self):
        while True:
            pass


def total(values):
    kept = Endless()
    return 0
