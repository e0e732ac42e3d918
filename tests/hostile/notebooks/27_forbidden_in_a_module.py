# /// expected
# threat = "The forbidden import hides in a module beside the notebook."
# status = "policy"
# checks = {}
# [files]
# "helper.py" = "import statistics\nmedian = statistics.median"
# ///

# %%
from honest import *

from helper import median
