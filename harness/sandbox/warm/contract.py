"""What every program that one fork server starts has in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import Device


@dataclass(frozen=True, slots=True)
class Warmth:
    """A fork server, described: it imports once what its programs would each import anew."""

    trusted: Mapping[str, bytes]  # our own files, as in `Program.trusted`
    packages: Sequence[str]  # distributions to be importable, as in `Program.packages`
    module: str  # a file of `trusted`; its function `prepare(settings)` is called once, before the first fork
    settings: str  # for `prepare`
    device: Device = "cpu"
