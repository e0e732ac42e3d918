"""What both ends of a kernel's sockets agree on; see docs/kernel.md. Standard library only: it runs on both sides."""

import hashlib

REQUEST, REPLY = "bareme_request", "bareme_reply"  # types of our own messages on Jupyter's shell channel
SOCKETS = "k"  # sockets are k-1 to k-5 in the folder RUN
PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}
NAME = 200  # characters of the name of an exception or a function
MESSAGE = 4_000  # characters of an error's message
FRAMES = 30  # of a traceback, the innermost: enough for a recursion to be recognised
VIOLATIONS = 100  # told in one message: a loop may break a rule a million times
PRINTED = 2**16  # characters printed by one call


def utf8(text: str) -> str:
    """`text` with what UTF-8 cannot carry (lone surrogates) replaced: JSON on a socket could not either."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cell_name(source: str) -> str:
    """The file name that a cell's code is compiled under, by which its frames are recognised."""
    return f"<cell-{hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}>"
