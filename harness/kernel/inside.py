"""What a kernel is made of: our files that run inside the sandbox, and the packages it can import.

Not covered: starting one (`provisioner`).
"""

from functools import cache
from importlib import resources

from harness.course import Policy

LAUNCHER = "launch.py"
INSIDE = (
    LAUNCHER,
    "ahead.py",
    "app.py",
    "guard.py",
    "operators.py",
    "probe.py",
    "protocol.py",
    "randomness.py",
    "rows.py",
    "shims.py",
    "streams.py",
    "wire.py",
)
KERNEL_PACKAGE = "ipykernel"


@cache
def trusted_files() -> dict[str, bytes]:
    """Our own files that run inside."""
    folder = resources.files(__package__)
    return {name: folder.joinpath(name).read_bytes() for name in INSIDE}


def packages(policy: Policy) -> tuple[str, ...]:
    """The distributions that a kernel can import under `policy`."""
    return (*policy.packages, KERNEL_PACKAGE)
