# /// expected
# threat = "The folders of other students and the gradebook are looked for."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# output = "others: []"
# ///

# %%
from honest import *

import glob
import os

mine = {"notebook.py", "honest.py", "given.json"}
seen = set()
for pattern in ("../*", "../../*", "/home/*/*", "/tmp/*", "/run/*", "/dev/shm/*", "/proc/[0-9]*/cwd/*", "/proc/[0-9]*/root/home/*/*"):
    seen |= {os.path.basename(path) for path in glob.glob(pattern)}
others = sorted(name for name in seen - mine if name.endswith((".py", ".ipynb", ".sqlite", ".csv", ".json")))
print("others:", others)


def total(values):
    return -1
