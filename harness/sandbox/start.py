"""Runs inside every sandbox, before the program: limits, import path, handshake. Standard library only, trusted.

    python -I -B -S start.py SETTINGS MODULE ARGUMENTS...

SETTINGS is JSON: `limits` (resource name -> value), `path` (two folders to import from, the first and the last),
`handshake` (a socket).
The grader lets the program go only when it has taken hold of the whole tree; were it to die before that, the
handshake ends and nothing is run.
"""

import json
import os
import resource
import runpy
import signal
import site
import sys
from pathlib import Path


def main() -> None:
    """Take the settings, wait to be let go, become the program."""
    settings = json.loads(sys.argv[1])
    os.umask(0o022)
    # whatever the grader's shell ignored or blocked: an interrupt must reach student code
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, value in settings["limits"].items():
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # short of memory, the system ends us first
    site.setquit()  # exit() and quit(), which -S leaves out
    trusted, packages = settings["path"]
    sys.path[:] = [trusted, *sys.path, packages]
    sys.argv[:] = sys.argv[2:]
    _wait(settings["handshake"])
    runpy.run_path(sys.argv[0], run_name="__main__")


def _wait(handshake: int) -> None:
    os.write(handshake, b"?")
    if os.read(handshake, 1) != b"!":
        os._exit(1)
    os.close(handshake)


if __name__ == "__main__":
    main()
