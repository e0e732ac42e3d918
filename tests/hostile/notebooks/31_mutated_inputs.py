# /// expected
# threat = "The arguments are changed so that they agree with a wrong answer."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed"}
# ///

# %%
from honest import *

def double(x):
    x *= 2
    return x


def total(values):
    answer = 0
    for value in values:
        answer += value
    values.clear()
    return answer


def median(values):
    values[:] = [0.0] * len(values)
    return 0.0
