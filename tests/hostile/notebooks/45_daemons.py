# /// expected
# threat = "Processes that leave their parents, zombies, and one that would outlive the kernel."
# status = "marked"
# proven_by = "test_no_process_is_left"
# checks = {}
# ///

# %%
from honest import *

import os
import subprocess
import time

for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sleep", ["bareme-hostile-daemon", "3600"])
        os._exit(0)
for _ in range(5):
    if os.fork() == 0:
        os._exit(0)
subprocess.Popen(["/bin/sh", "-c", "trap '' TERM INT HUP; while :; do sleep 3600; done"], start_new_session=True)
time.sleep(0.2)
