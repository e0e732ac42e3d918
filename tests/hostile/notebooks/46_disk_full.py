# /// expected
# threat = "The disk, the shared memory and the socket folder are filled."
# status = "marked"
# checks = {}
# output = "refused: [True, True, True, True]"
# ///

# %%
from honest import *

import errno

errors = []
for folder in (".", "/tmp", "/dev/shm", "/run"):
    try:
        with open(f"{folder}/full", "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        errors.append(error.errno in {errno.ENOSPC, errno.EFBIG})
print("refused:", errors)
