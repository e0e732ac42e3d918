"""A run of `bareme grade` and the host: it borrows a fork server for kernels, and leaves a host behind for the next.

The host knows by a connection that the run goes on: as long as that is open it keeps the fork server.
Not covered: where workers come from (`stand_in`), what becomes of a run whose fork server goes away (`fork_servers`).
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from harness.course import Assignment, Course
from harness.host import identity
from harness.host.ask import NotServed, asking, wanted
from harness.host.client import start
from harness.host.wanted import Wanted
from harness.records import Device, Kernels, Text
from harness.runners.contract import Runner


@contextmanager
def borrowed(
    course: Course,
    assignment: Assignment,
    *,
    kernels: Kernels,
    device: Device,
    runner: Runner,
    tell: Callable[[Text], None],
) -> Iterator[str | None]:
    """The address of the host's fork server for the kernels of `assignment`; None: it lends none.

    `tell` is told what the user should know of a host that is of no use. Where there is no host, and the run comes to
    its end, one is started that has imported what it and `runner` needed.
    """
    environment = dict(os.environ)  # before libraries are imported that add to it
    use = None if kernels == "cold" else asdict(Wanted.of(course, assignment, device))
    startable = False
    with ExitStack() as held:
        address = None
        try:
            address = held.enter_context(asking({"ask": "run", "wanted": use})).accepted["address"]
        except NotServed as reason:
            startable = reason.startable
            if reason.say is not None:
                tell(reason.say)
        yield address
    if startable and not wanted("CI", default=False):
        start({"modules": [*runner.call(_imported, None), *_imported(None)], "wanted": use}, environment)


def _imported(_: None) -> list[str]:
    """What this process, or a worker, has imported that a host may."""
    return identity.installed(sys.modules)
