"""Runs inside every sandbox, before the program: rights given up, limits, import path, handshake.

    python -I -B -S start.py SETTINGS MODULE ARGUMENTS...

SETTINGS is JSON:
    `limits`      resource name -> value
    `path`        two folders to import from, the first and the last
    `handshake`   a socket
    `landlock`    what `landlock.restrict` takes; absent where files are not to be restricted a second time
    `seccomp`     a filter of system calls in base64; absent where the sandbox has loaded it before this script

The grader lets the program go only when it has taken hold of the whole tree; were it to die before that, the
handshake ends and nothing is run. Standard library only, trusted.
"""

import base64
import ctypes
import json
import os
import resource
import runpy
import signal
import site
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22  # linux/prctl.h
SECCOMP_MODE_FILTER = 2  # linux/seccomp.h
INSTRUCTION_BYTES = 8  # of a filter
# nothing of `harness` exists inside: the file beside this one is found by its path, here and there
restrict = runpy.run_path(str(Path(__file__).with_name("landlock.py")))["restrict"]


class Filter(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def main() -> None:
    """Take the settings, give up what the program must not have, wait to be let go, become the program."""
    settings = json.loads(sys.argv[1])
    confine(settings)
    sys.argv[:] = sys.argv[2:]
    _wait(settings["handshake"])
    runpy.run_path(sys.argv[0], run_name="__main__")


def confine(settings: Mapping[str, Any]) -> None:
    """All that must be done to a process of one thread before a program runs in it, except the handshake.

    Raises:
        OSError: Linux refuses a step; the program must not run then.
    """
    os.umask(0o022)
    # whatever the grader's shell ignored or blocked: an interrupt must reach student code
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # short of memory, the system ends us first
    _empty_streams()
    _limit(settings["limits"])
    site.setquit()  # exit() and quit(), which -S leaves out
    trusted, packages = settings["path"]
    sys.path[:] = [trusted, *(path for path in sys.path if path not in (trusted, packages)), packages]
    if "landlock" in settings:
        restrict(**settings["landlock"])
    if "seccomp" in settings:  # last: nothing after it may need what it refuses
        _refuse(base64.b64decode(settings["seccomp"]))


def _empty_streams() -> None:
    """Input and output are this sandbox's own null device, not the grader's: that one is nowhere beneath `/`."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    os.close(null)


def _limit(limits: Mapping[str, int]) -> None:
    for name, value in limits.items():
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))


def _refuse(instructions: bytes) -> None:
    """Load a filter of system calls, for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = Filter(len(instructions) // INSTRUCTION_BYTES, instructions)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _wait(handshake: int) -> None:
    os.write(handshake, b"?")
    if os.read(handshake, 1) != b"!":
        os._exit(1)
    os.close(handshake)


if __name__ == "__main__":
    main()
