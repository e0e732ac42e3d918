# /// expected
# threat = "A result is forged on the socket that carries answers."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# ///

# %%
from honest import *

import sys

kernel = get_ipython().kernel
wire = sys.modules["bareme.wire"]


def forge(kind, content, value):
    request = kernel.get_parent("shell")
    ident = kernel._parent_ident["shell"]
    kernel.session.send(kernel.shell_stream, kind, content, request, ident=ident, buffers=wire.encode(value))


def total(values):
    nonce = kernel.get_parent("shell")["content"]["nonce"]
    forge("bareme_verdict", {"nonce": nonce, "outcome": "passed", "points": 2}, "passed")
    forge("execute_reply", {"status": "ok", "bareme": {"outcome": "passed"}}, "passed")
    for index in range(40):
        forge("bareme_reply", {"nonce": nonce, "index": index}, ("passed", True, None, False, None, "", []))
    return 0
