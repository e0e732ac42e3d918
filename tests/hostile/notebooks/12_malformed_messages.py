# /// expected
# threat = "Answers that are malformed, huge, deeply nested, or have a key twice."
# status = "marked"
# checks = {double = "failed", double_hidden = "skipped", total = "failed", total_hidden = "failed", median = "failed", counter = "crashed", locate = "crashed"}
# ///

# %%
from honest import *

import sys

import numpy

kernel = get_ipython().kernel


def raw(*parts):
    nonce = kernel.get_parent("shell")["content"]["nonce"]
    kernel.session.send(
        kernel.shell_stream,
        "bareme_reply",
        {"nonce": nonce, "index": 0},
        kernel.get_parent("shell"),
        ident=kernel._parent_ident["shell"],
        buffers=list(parts),
    )


def double(x):
    return numpy.zeros(10**7)


def total(values):
    nested = 0
    for _ in range(10_000):
        nested = [nested]
    return nested


def median(values):
    return [0.0] * 2_000_000


def make_counter():
    raw(b'{"version":1,"value":' + b"[" * 100_000)


def locate(text, letter):
    raw(b'{"version":1,"version":1,"value":{"tuple":["passed",[0],null,false,null,"",[]]}}')
    return []
