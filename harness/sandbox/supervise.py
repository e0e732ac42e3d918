"""Parent of a program in the plain sandbox: ends with the grader, and takes the whole tree and its folder along.

    python -I -B -S supervise.py SETTINGS COMMAND...

SETTINGS is JSON: `grader` (its process id), `folder` (removed at the end), `descriptors` (handed on to the command).
Standard library only. Not covered: a program that kills its supervisor.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # numbers of prctl(2)
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Start the command, wait for it or for SIGTERM, end whatever it has left behind."""
    settings = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, _stop)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans come to us, however they detach themselves
    try:
        if os.getppid() == settings["grader"]:
            program = subprocess.Popen(sys.argv[2:], pass_fds=settings["descriptors"])
            for descriptor in settings["descriptors"]:
                os.close(descriptor)
            while os.wait()[0] != program.pid:
                pass  # an orphan has ended
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_children()
        remove(Path(settings["folder"]))


def end_children() -> None:
    """SIGKILL to everything below this process, until nothing is left."""
    with suppress(ChildProcessError):
        while True:
            for pid in _below(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def remove(folder: Path) -> None:
    """Delete `folder`, also where student code has taken rights away; links are not followed."""
    for path, names, _ in os.walk(folder):
        for name in names:
            inner = Path(path, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _below(pid: int) -> Iterator[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_bytes().split():
                yield from _below(int(child))
                yield int(child)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
