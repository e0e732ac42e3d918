"""One thread that looks after every sandbox of this process: limits that only someone outside can hold.

Not covered: what a look does and what is ended (`process`).
"""

import os
import threading
import time
from typing import Protocol

LOOK_EVERY_S = 0.025  # a process that fills memory at 4 GB/s gains 100 MB between two looks


class Watched(Protocol):
    """Something to look at regularly."""

    def look_after(self) -> bool:
        """Look once, act on it; False when there is nothing left to look at."""


class Watchdog:
    """Looks at everything it was given until that says it is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: list[Watched] = []
        self._owner = 0  # the process that the thread runs in; a fork leaves the thread behind

    def watch(self, watched: Watched) -> None:
        """Look after `watched` from now on."""
        with self._lock:
            if self._owner != os.getpid():
                self._watched = []
                self._owner = os.getpid()
            self._watched.append(watched)
            if len(self._watched) == 1:
                threading.Thread(target=self._run, name="sandbox-watchdog", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            over = [watched for watched in tuple(self._watched) if not watched.look_after()]
            with self._lock:
                self._watched = [watched for watched in self._watched if watched not in over]
                if not self._watched:
                    return


WATCHDOG = Watchdog()
