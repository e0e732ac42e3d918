# /// expected
# threat = "Every answer is the input."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "failed"}
# ///

# %%
from honest import *

def double(x):
    return x


def total(values):
    return values


def median(values):
    return values[0]


def locate(text, letter):
    return text
