"""What every sandbox gives its program: the start script, its command line, the environment.

Not covered: the start script itself (`start`), which is not imported here but run inside, with `landlock` beside it.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from harness.errors import InfrastructureError
from harness.sandbox.contract import Program

START = "_start.py"  # beside the trusted files
SOURCES = {
    START: "start.py",
    "landlock.py": "landlock.py",
}  # the start script and what it needs: name inside, name here
READY_FD = "BAREME_READY_FD"  # the variable with the descriptor of the ready pipe
ISOLATED = ("-I", "-B", "-S")  # no variables, no written bytecode, none of the packages of the machine


def start_files() -> dict[str, bytes]:
    """The script that runs before every program, and what it needs beside it: name -> content."""
    return {inside: files("harness.sandbox").joinpath(name).read_bytes() for inside, name in SOURCES.items()}


def start_settings(*, trusted: str, packages: str, limits: Mapping[str, int]) -> dict[str, Any]:
    """What the start script is told, all but the number of the handshake."""
    return {"limits": limits, "path": [trusted, packages]}


def start_command(python: str, program: Program, settings: Mapping[str, Any], *, handshake: int) -> list[str]:
    """Isolated Python running the start script, then the program."""
    trusted = settings["path"][0]
    told = json.dumps({**settings, "handshake": handshake})
    return [python, *ISOLATED, f"{trusted}/{START}", told, f"{trusted}/{program.module}", *program.arguments]


def inside_name(name: str) -> PurePosixPath:
    """`name` as a path that stays in the folder it is put in.

    Raises:
        InfrastructureError: it leads out; intake should have refused it.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise InfrastructureError(f"{name!r} leads out of the sandbox's folder", remedy="Rename that file.")
    return path


def environment(program: Program, *, home: str, scratch: str, run: str) -> dict[str, str]:
    """All variables that the program gets, but for READY_FD; BAREME_RUN is the folder for its sockets."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "USER": "student",
        "LANG": "C.UTF-8",
        "TMPDIR": scratch,
        # one thread: several notebooks share the machine, and timed runs use one
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        **program.environment,
        "BAREME_RUN": run,
    }
