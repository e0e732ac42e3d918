# /// expected
# threat = "Pickles are handed over wherever something could load them."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", locate = "crashed"}
# ///

# %%
from honest import *

import os
import pickle
import sys

import numpy

wire = sys.modules["bareme.wire"]
kernel = get_ipython().kernel


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/bareme-hostile-pickle /dev/shm/bareme-hostile-pickle",)


bomb = pickle.dumps(Payload())


def double(x):
    return numpy.array([Payload()] * len(x), dtype=object)


def total(values):
    return bomb


def median(values):
    return Payload()


def locate(text, letter):
    nonce = kernel.get_parent("shell")["content"]["nonce"]
    ident = kernel._parent_ident["shell"]
    content = {"nonce": nonce, "index": 0}
    kernel.session.send(kernel.shell_stream, "bareme_reply", content, kernel.get_parent("shell"), ident=ident, buffers=[bomb])
    return []
