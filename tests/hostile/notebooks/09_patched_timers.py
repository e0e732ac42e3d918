# /// expected
# threat = "Clocks stand still and alarms are taken away, so that no time seems to pass."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# ///

# %%
from honest import *

import datetime
import signal
import time

for name in ("time", "monotonic", "perf_counter", "process_time", "time_ns", "monotonic_ns", "perf_counter_ns"):
    setattr(time, name, lambda: 0)
signal.setitimer = signal.alarm = lambda *_: 0
signal.signal(signal.SIGALRM, signal.SIG_IGN)


def total(values):
    while True:
        time.sleep(0.05)
