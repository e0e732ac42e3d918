# /// expected
# threat = "Threads without end; when there are no more, the work is done honestly."
# status = "marked"
# checks = {}
# output = "limited: True"
# ///

# %%
from honest import *

import threading
import time

number = 0
try:
    while number < 1000:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        number += 1
except RuntimeError:
    pass
print("limited:", number < 64)
