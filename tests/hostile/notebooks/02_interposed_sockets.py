# /// expected
# threat = "A thread of the notebook stands between the kernel's sockets and the grader."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# ///

# %%
from honest import *

import sys
import threading

import zmq
from jupyter_client.session import Session

kernel = get_ipython().kernel
wire = sys.modules["bareme.wire"]
probe = kernel.shell_handlers["bareme_request"].__self__
send = probe.send


def interposed(stream, kind, content=None, *args, **kwargs):
    """Every wrong answer leaves as a verdict."""
    if kind == "bareme_reply":
        answer = wire.decode([bytes(part) for part in kwargs["buffers"]])
        if type(answer[1]) is str:
            kwargs["buffers"] = wire.encode(("passed", {"outcome": "passed", "points": 2}, *answer[2:]))
    return send(stream, kind, content, *args, **kwargs)


def second_client():
    """The grader's place at its own sockets, with the key that every process here can read."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as shell:
        shell.linger = 0
        shell.connect("ipc:///run/k-1")
        session = Session(key=kernel.session.key)
        for _ in range(20):
            session.send(shell, "bareme_request", {"nonce": "0" * 32, "parts": [1]}, buffers=[b"{}"])
            session.send(shell, "bareme_reply", {"nonce": "0" * 32, "index": 0}, buffers=wire.encode("passed"))


probe.send = kernel.session.send = interposed
thread = threading.Thread(target=second_client)
thread.start()
thread.join(2)


def total(values):
    return "wrong"
