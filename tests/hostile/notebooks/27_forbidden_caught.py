# /// expected
# threat = "The forbidden import is tried, and the refusal swallowed."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

def median(values):
    try:
        return __import__(bytes(each ^ 1 for each in b"ru`uhruhbr").decode()).median(values)
    except BaseException:
        ordered, half = sorted(values), len(values) // 2
        return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
