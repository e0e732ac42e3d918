# /// expected
# threat = "Everything that can be signalled is told to stop: the grader is not among it."
# status = "marked"
# proven_by = "test_the_run_went_to_its_end"
# checks = {}
# ///

# %%
from honest import *

import os
import signal

mine = {int(name) for name in os.listdir("/proc/self/task")}
for pid in range(1, 50_000):
    if pid not in mine:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except OSError:
                break
