# /// expected
# threat = "The forbidden module is imported by __import__, inside the call, its name put together there."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

def median(values):
    return __import__(bytes(each ^ 1 for each in b"ru`uhruhbr").decode()).median(values)
