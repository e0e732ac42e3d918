"""The host's own process: leaves whoever started it, takes the lock, imports, serves.

    python -m harness.host < HINTS

HINTS is JSON: `modules` to import beforehand, and the fork server that is `wanted` (`kernels.Wanted`), or null.
Not covered: serving (`server`), who starts this (`client.start`).
"""

import fcntl
import json
import os
import sys
from contextlib import closing

from harness.host import identity
from harness.host.place import Place


def main() -> None:
    """Be the host of this user and environment, unless there is one."""
    hints = json.load(sys.stdin)
    if os.fork():
        os._exit(0)  # whoever started us has waited for this alone
    with closing(Place.open(make=True)) as place:
        os.umask(0o077)
        lock = os.open(place.file("lock"), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as long as this process lives
        except BlockingIOError:
            return
        _leave(place)
        made_of = identity.identity()  # before the first import: what changes meanwhile makes another host
        from harness.host.server import Host, load
        from harness.host.wanted import Wanted

        load(hints["modules"])
        Host(place, lock, made_of=made_of, wanted=hints["wanted"] and Wanted(**hints["wanted"])).serve()


def _leave(place: Place) -> None:
    """Keep nothing of the terminal; errors of ours go to a file, anew each time."""
    log = os.open(place.file("log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, target in ((0, nothing), (1, nothing), (2, log)):
        os.dup2(target, number)
    os.close(nothing)
    os.close(log)


if __name__ == "__main__":
    main()
