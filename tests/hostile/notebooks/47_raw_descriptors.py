# /// expected
# threat = "Gigabytes of binary output to descriptors 1 and 2, around Python."
# status = "marked"
# checks = {}
# truncated = true
# ///

# %%
from honest import *

import os

chunk = os.urandom(1 << 16)
for _ in range(100):
    os.write(1, chunk)
    os.write(2, chunk)
print(("x" * 10_000 + "\n") * 1000)
print("\ud800\x00\x1b[31m")
