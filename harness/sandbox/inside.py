"""What every sandbox gives its program: the start script, its command line, the environment.

Not covered: the start script itself (`start`), which is not imported here but run inside.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath

from harness.errors import InfrastructureError
from harness.sandbox.contract import Program

START = "_start.py"  # beside the trusted files
ISOLATED = ("-I", "-B", "-S")  # no variables, no written bytecode, none of the packages of the machine


def start_script() -> bytes:
    """Content of the script that runs before every program."""
    return files("harness.sandbox").joinpath("start.py").read_bytes()


def start_command(
    python: str, program: Program, *, trusted: str, packages: str, handshake: int, limits: Mapping[str, int]
) -> list[str]:
    """Isolated Python running the start script, then the program."""
    settings = json.dumps({"limits": limits, "path": [trusted, packages], "handshake": handshake})
    module = f"{trusted}/{program.module}"
    return [python, *ISOLATED, f"{trusted}/{START}", settings, module, *program.arguments]


def inside_name(name: str) -> PurePosixPath:
    """`name` as a path that stays in the folder it is put in.

    Raises:
        InfrastructureError: it leads out; intake should have refused it.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise InfrastructureError(f"{name!r} leads out of the sandbox's folder", remedy="Rename that file.")
    return path


def environment(program: Program, *, home: str, scratch: str, run: str, ready: int) -> dict[str, str]:
    """All variables that the program gets; BAREME_RUN is the folder for its sockets."""
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
        "BAREME_READY_FD": str(ready),
    }
