"""Energy counters of x86 processors (RAPL) through Linux's powercap, all packages and their memory.

Covers Intel and AMD, whose zones have the same names. Not covered: the zone "psys" (it contains the packages), zones of
`intel-rapl-mmio` (the same counters again), and the power supply, disks, fans.
Source: Linux, Documentation/power/powercap/powercap.rst.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import InfrastructureError
from harness.metrics.energy.meters import Unreadable
from harness.records import Fact, Text

POWERCAP = Path("/sys/class/powercap")
LEAST_S = 0.5  # counters move every millisecond; a stretch of 500 is known to a percent, reading included
MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Zone:
    """One counter."""

    name: str  # "package-0", "dram"
    folder: Path
    range_uj: int  # where it starts again from 0

    def read_uj(self) -> int:
        """Microjoules since some moment, modulo the range."""
        return int((self.folder / "energy_uj").read_text(encoding="ascii"))

    def difference_uj(self, before_uj: int, after_uj: int) -> int:
        """Microjoules between two readings less than one range apart: 65 kJ or more, minutes at full power."""
        return after_uj - before_uj if after_uj >= before_uj else after_uj + self.range_uj - before_uj


class Rapl:
    """Keeps `meters.Meter` with the counters of packages and memory."""

    title = Text("Énergie par appel (compteurs RAPL)", "Energy a call (RAPL counters)")
    unit = "J"
    estimated = False
    whole_machine = True
    least_s = LEAST_S

    def __init__(self, zones: Sequence[Zone]) -> None:
        """`zones` are added up."""
        self._zones = zones
        self._before: list[int] = []
        names = ", ".join(zone.name for zone in zones)
        self.facts: tuple[Fact, ...] = (Fact(Text("méthode : compteurs RAPL", "method: RAPL counters"), names),)

    @classmethod
    def found(cls, powercap: Path = POWERCAP) -> Self:
        """The counters of this machine.

        Raises:
            Unreadable: there are none, or they may not be read.
        """
        zones = [zone for folder in sorted(powercap.glob("intel-rapl:*")) if (zone := _zone(folder)) is not None]
        if not any(zone.name.startswith("package") for zone in zones):
            raise Unreadable(
                Text(
                    f"aucune zone RAPL dans {powercap}, comme sur la plupart des machines virtuelles",
                    f"no RAPL zone in {powercap}, as on most virtual machines",
                )
            )
        return cls(zones)

    def begin(self) -> None:
        self._before = self._read()

    def end(self, cpu_s: float) -> float:  # noqa: ARG002  (the contract's)
        after = self._read()
        pairs = zip(self._zones, self._before, after, strict=True)
        return MICRO * sum(zone.difference_uj(before_uj, after_uj) for zone, before_uj, after_uj in pairs)

    def close(self) -> None:
        """Nothing is held."""

    def _read(self) -> list[int]:
        try:
            return [zone.read_uj() for zone in self._zones]
        except (OSError, ValueError) as error:
            raise InfrastructureError(f"a RAPL counter can no longer be read: {error}", remedy="Mark again.") from error


def _zone(folder: Path) -> Zone | None:
    """The zone of `folder`, None where it is none that is counted.

    Raises:
        Unreadable: it is one, and may not be read.
    """
    try:
        name = (folder / "name").read_text(encoding="ascii").strip()
        if not (name.startswith("package") or name == "dram"):
            return None
        zone = Zone(name, folder, int((folder / "max_energy_range_uj").read_text(encoding="ascii")))
        zone.read_uj()
    except PermissionError as error:
        path = error.filename
        raise Unreadable(
            Text(
                f"{path} n'est lisible que par root ; donnez-en la lecture à qui lance bareme",
                f"{path} can be read by root alone; let whoever runs bareme read it",
            )
        ) from error
    except (OSError, ValueError) as error:
        raise Unreadable(
            Text(
                f"la zone RAPL {folder.name} est illisible ({error})",
                f"RAPL zone {folder.name} cannot be read ({error})",
            )
        ) from error
    return zone
