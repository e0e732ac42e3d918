"""Wait until bareme's process in the background has a fork server for kernels (`await`), or end it (`stop`)."""

import sys
import time

from harness.host import client

PATIENCE_S = 60.0  # for its imports, and those of the fork server
LOOK_S = 0.05

if sys.argv[1] == "await":
    until = time.monotonic() + PATIENCE_S
    while not ((facts := client.status()) and facts.warm):
        if time.monotonic() > until:
            sys.exit(f"no fork server for kernels: {facts}")
        time.sleep(LOOK_S)
elif not client.stop():
    sys.exit("it was not there any more: the run has been measured without it")
