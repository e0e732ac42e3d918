"""The virtual environments of the tools that we compare with: found, or made with pinned versions.

Each has the torch, ipykernel and NumPy that constraints.txt names for bareme, so that all run the same student's code.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.throughput.watch import Failed

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
VERSIONS: Mapping[str, str] = {"nbgrader": "0.9.6", "otter-grader": "7.0.0"}


@dataclass(frozen=True)
class Peer:
    """One tool in its virtual environment."""

    package: str  # its name on the package index
    folder: Path

    @property
    def version(self) -> str:
        return VERSIONS[self.package]

    def program(self, name: str) -> str:
        """The path of a command of this environment."""
        return str(self.folder / "bin" / name)


def peer(package: str, peers: Path) -> Peer:
    """The environment of `package` in the folder `peers`, made first when it is missing.

    Raises:
        Failed: it cannot be made, or holds another version than the pinned one.
    """
    found = Peer(package, peers / package)
    if not Path(found.program("python")).exists():
        _make(found)
    show = f"import importlib.metadata as m; print(m.version({package!r}))"
    version = _said([found.program("python"), "-c", show])
    if version != found.version:
        raise Failed(
            f"{found.folder} holds {package} {version}, not {found.version}: remove the folder and start again"
        )
    return found


def environment(scratch: Path, peer: Peer | None = None) -> dict[str, str]:
    """Variables for a command: the peer's programs first, and none of the settings that a user of this machine has."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    programs = peer.folder / "bin" if peer else Path(sys.executable).parent
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    own = {name: str(scratch / name.lower()) for name in names}
    for folder in own.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    return {**kept, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **own}


def _make(peer: Peer) -> None:
    """torch first, alone and pinned: else the tool's own dependencies decide which one it is."""
    print(f"making {peer.folder} for {peer.package} {peer.version}: some minutes", file=sys.stderr)
    _said([sys.executable, "-m", "venv", str(peer.folder)])
    pip = [peer.program("python"), "-m", "pip", "install", "--quiet", "--constraint", str(CONSTRAINTS)]
    _said([*pip, "torch"])
    _said([*pip, f"{peer.package}=={peer.version}", "ipykernel", "numpy"])


def _said(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"exit code {done.returncode} of {' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout.strip()
