"""Which sandbox a run uses, and what people are told about it.

Not covered: any fallback. Where the sandbox that was asked for cannot work, that is an error with its remedy.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from harness.records import SandboxName, Text
from harness.sandbox.bubblewrap import Bubblewrap, find_bubblewrap
from harness.sandbox.contract import Guarantee, Sandbox
from harness.sandbox.packages import closure
from harness.sandbox.plain import WARNING, Plain
from harness.sandbox.warm.contract import Warmth
from harness.sandbox.warm.owner import ForkServer

OURS: Final = ("harness", "reference", "assignments", "reports")  # packages that no student code may read


@cache
def choose(name: SandboxName, *, secrets: tuple[Path, ...] = ()) -> Sandbox:
    """The sandbox called `name`, tried out once a process; `secrets` are paths that it must never show.

    Raises:
        SandboxUnavailable: it cannot work on this machine.
    """
    chosen: Sandbox = Plain() if name == "plain" else Bubblewrap(secrets=hidden(*secrets))
    chosen.check()
    return chosen


def serve(warmth: Warmth, *, secrets: tuple[Path, ...] = ()) -> ForkServer:
    """A fork server, begun to be started; its `address` and `warmth` make a `Warm` sandbox in any of our processes."""
    return ForkServer(warmth, secrets=hidden(*secrets))


def warning(sandbox: Sandbox) -> Text | None:
    """What the user must know before anything runs in `sandbox`."""
    return WARNING if sandbox.name == Plain.name else None


def guarantees(name: SandboxName = "bubblewrap") -> tuple[Guarantee, ...]:
    """What the sandbox called `name` covers, and what it does not."""
    return Plain.guarantees if name == "plain" else Bubblewrap.guarantees


def describe() -> str:
    """Which bubblewrap is used."""
    return f"bubblewrap: {find_bubblewrap()}"


def missing_packages(names: tuple[str, ...]) -> tuple[str, ...]:
    """Distributions of `names` that are not installed here, so that no program can import them."""
    return closure(names).missing


def hidden(*secrets: Path) -> tuple[Path, ...]:
    """`secrets`, and where the packages of `OURS` lie; they are looked up, not imported."""
    specs = [find_spec(name) for name in OURS]
    ours = (Path(folder) for spec in specs if spec for folder in spec.submodule_search_locations or ())
    return (*ours, *secrets)
