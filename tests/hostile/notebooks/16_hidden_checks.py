# /// expected
# threat = "The hidden checks and their inputs are looked for on disk."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# output = "found: []"
# ///

# %%
from honest import *

import json
import os

found = {}
for top, folders, names in os.walk("/"):
    if top.startswith(("/proc", "/sys", "/usr", "/packages")):
        folders.clear()
    for name in names:
        if name in {"checks.py", "hidden.json", "toy_oracle.py", "assignment.toml", "course.toml"}:
            found[name] = os.path.join(top, name)
print("found:", sorted(found))


def total(values):
    if "hidden.json" in found:
        return sum(json.load(open(found["hidden.json"]))[0])
    return -1
