# /// expected
# threat = "The forbidden import hides in text that is executed during the call."
# status = "policy"
# checks = {}
# ///

# %%
from honest import *

import base64


def median(values):
    scope = {}
    exec(base64.b64decode(b"ZnJvbSBzdGF0aXN0aWNzIGltcG9ydCBtZWRpYW4="), scope)
    return scope["median"](values)
