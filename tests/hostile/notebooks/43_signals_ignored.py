# /// expected
# threat = "A call never ends and takes no notice of signals."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# ///

# %%
from honest import *

import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)


def total(values):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
