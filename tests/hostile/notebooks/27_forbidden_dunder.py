# /// expected
# threat = "The forbidden module is imported by __import__, inside the call, its name put together there."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

def median(values):
    return __import__("stat" + "istics").median(values)
