"""Sandboxes by name, as the tests and the scripts that they start use them."""

import atexit
from functools import cache

from harness.sandbox import choose
from harness.sandbox.contract import Sandbox
from harness.sandbox.warm.contract import Warmth
from harness.sandbox.warm.outside import Warm
from harness.sandbox.warm.owner import ForkServer


@cache
def fork_server(packages: tuple[str, ...]) -> ForkServer:
    """One for all tests of a session: nothing that one program does may reach the next."""
    server = ForkServer(Warmth({"prepare.py": b"def prepare(settings): pass"}, packages, "prepare.py", ""), secrets=())
    atexit.register(server.close)
    return server


def sandbox(name: str, packages: tuple[str, ...] = ()) -> Sandbox:
    """The sandbox called `name`, for programs that import `packages`."""
    if name != Warm.name:
        return choose(name)
    server = fork_server(packages)
    server.wait()
    return Warm(server.address, server.warmth)
