# /// expected
# threat = "Answers come twice, out of order, for an earlier call, or never."
# status = "marked"
# checks = {total = "timeout", total_hidden = "timeout"}
# ///

# %%
from honest import *

import sys

kernel = get_ipython().kernel
wire = sys.modules["bareme.wire"]
probe = kernel.shell_handlers["bareme_request"].__self__
send = probe.send
sent = []


def sometimes(stream, kind, content=None, *args, **kwargs):
    if kind != "bareme_reply":
        return send(stream, kind, content, *args, **kwargs)
    answer = wire.decode([bytes(part) for part in kwargs["buffers"]])
    if type(answer[1]) is str:
        return None
    sent.append((content, args, kwargs))
    if isinstance(answer[1], list):
        first = sent[0]
        send(stream, kind, {**content, "index": content["index"] + 1}, *args, **kwargs)
        send(stream, kind, first[0], *first[1], **first[2])
        send(stream, kind, content, *args, **kwargs)
    return send(stream, kind, content, *args, **kwargs)


probe.send = kernel.session.send = sometimes


def total(values):
    return "never"
