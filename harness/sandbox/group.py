"""A process group that ends with whoever made it, at whatever moment that is.

The processes around a sandbox ask Linux to end with their parents (`--die-with-parent`). They can do so only once they
run: a child of bubblewrap whose parent ends in the milliseconds before waits for ever to be told to go on. A group
holds its members from the first moment on.
Not covered: a process that has left the group. Those of bubblewrap do (`--new-session`), but only once they have been
told; what they start then finds the grader gone (`start`).
"""

import os
import signal
import subprocess

# Its input is a pipe that only the maker can write to, and never does: it is at its end when the maker has ended.
KEEPER = ("/bin/sh", "-c", "read _; kill -KILL 0")


class Group:
    """A process group. A keeper of its own is its first member, so that its number stays its own until `end`."""

    def __init__(self) -> None:
        """Make it; it ends with this process, and with those that this process forks meanwhile."""
        self._keeper = subprocess.Popen(
            KEEPER, env={}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
        )
        self.number = self._keeper.pid

    def end(self) -> None:
        """SIGKILL to every member. Of no effect the second time."""
        if self._keeper.returncode is None:
            with self._keeper:  # waits for it, and closes the pipe
                os.killpg(self.number, signal.SIGKILL)
