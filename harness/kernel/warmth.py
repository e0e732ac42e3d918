"""What a fork server for the kernels of one assignment is: its files, its packages, what it imports ahead.

Not covered: the fork server (`sandbox.warm`), what it does with this (`launch.prepare`).
"""

import inspect
import json
from collections.abc import Iterator
from importlib import metadata

from harness.course import Policy
from harness.kernel.inside import LAUNCHER, packages, trusted_files
from harness.records import Device
from harness.sandbox.warm.contract import Warmth


def warmth(policy: Policy, device: Device) -> Warmth:
    """The fork server for kernels under `policy`, whose programs are those of `starts.Plan`."""
    preload = [module for name in policy.packages for module in importable(name) if module not in policy.forbidden]
    return Warmth(
        trusted=trusted_files(),
        packages=packages(policy),
        module=LAUNCHER,
        settings=json.dumps({"forbidden": policy.forbidden, "preload": list(dict.fromkeys(preload))}),
        device=device,
    )


def importable(distribution: str) -> list[str]:
    """The top-level modules that `distribution` installs, in order; none where it is not installed."""
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return []
    declared = (found.read_text("top_level.txt") or "").split()
    names = declared or dict.fromkeys(_top_level(found))
    return sorted(name for name in names if name.isidentifier() and not name.startswith("_"))


def _top_level(found: metadata.Distribution) -> Iterator[str]:
    """First parts of the recorded paths, as names of modules; some tools write no top_level.txt."""
    for path in found.files or ():
        name = path.parts[0] if len(path.parts) > 1 else inspect.getmodulename(path.name)
        if name and name != "__pycache__":
            yield name
