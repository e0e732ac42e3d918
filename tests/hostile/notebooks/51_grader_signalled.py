# /// expected
# threat = "Everything that can be signalled is told to stop: the grader is not among it."
# status = "marked"
# checks = {}
# ///

# %%
from honest import *

import os
import signal

for pid in range(1, 50_000):
    if pid != os.getpid():
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except OSError:
                break
