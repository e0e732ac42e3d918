# /// expected
# threat = "The seed is looked for in the environment, in /proc and in other processes' memory."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# output = "leaks: []"
# ///

# %%
from honest import *

import glob
import os
import re

leaks = [name for name in os.environ if "SEED" in name.upper() and name != "PYTHONHASHSEED"]
for pattern in ("/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/task/*/environ"):
    for path in glob.glob(pattern):
        try:
            text = open(path, "rb").read()
        except OSError:
            continue
        leaks += re.findall(rb"(?:--seed|BAREME_SEED)\W*\d+|\b4711471147114711\b", text)
for pid in {os.getppid(), 1}:
    try:
        memory = open(f"/proc/{pid}/mem", "rb")
        for line in open(f"/proc/{pid}/maps"):
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            memory.seek(start)
            leaks += re.findall(rb"\b4711471147114711\b", memory.read(end - start))
    except (OSError, ValueError, OverflowError):
        continue
print("leaks:", leaks)


def total(values):
    return -1
