# /// expected
# threat = "The oracle is imported, or whatever of the grader can be."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# output = "found: []"
# ///

# %%
from honest import *

import importlib
import sys

found = []
for name in ("toy_oracle", "reference", "reference.ngram", "harness", "harness.checks", "assignments", "bareme_checks", "course"):
    try:
        found.append(importlib.import_module(name))
    except ModuleNotFoundError:
        continue
print("found:", found)


def total(values):
    return found[0].total(values) if found else -1
