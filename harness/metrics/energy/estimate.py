"""Energy estimated from CPU time, for machines whose counters cannot be read: most virtual ones.

An estimate ranks like CPU time does: it knows nothing of memory, vector units, clocks or the power supply.
"""

from harness.errors import ConfigurationError
from harness.records import Fact, Text

# Thermal design power over cores of common servers: AMD EPYC 9354, 280 W for 32; Intel Xeon Gold 6430, 270 W for 32.
# A laptop's core draws half, a fast desktop's twice as much. Ratios to the baseline do not depend on it.
WATTS_PER_CORE = 8.0
LEAST_S = 0.1  # CPU time is read to the nanosecond; this averages over what calls differ by


class Estimate:
    """Keeps `meters.Meter`: a stated number of watts while a core works, none while it does not."""

    title = Text("Énergie par appel, estimée d'après le temps processeur", "Energy a call, estimated from CPU time")
    unit = "J est."
    estimated = True
    whole_machine = False
    least_s = LEAST_S

    def __init__(self, watts_per_core: float, *, why: Text) -> None:
        """`why` nothing better was read.

        Raises:
            ConfigurationError: no positive number of watts.
        """
        if not 0 < watts_per_core < float("inf"):
            raise ConfigurationError(
                f"energy: watts_per_core={watts_per_core!r} is impossible",
                remedy=f"Give the watts of a busy core, such as {WATTS_PER_CORE}.",
            )
        self._watts = watts_per_core
        self.facts: tuple[Fact, ...] = (
            Fact(
                Text(
                    "méthode : estimation, temps processeur × puissance supposée par cœur",
                    "method: estimate, CPU time × assumed power of a core",
                ),
                watts_per_core,
                "W",
            ),
            Fact(Text("pas de compteur", "no counter"), why),
        )

    def begin(self) -> None:
        """CPU time is counted by whoever calls."""

    def end(self, cpu_s: float) -> float:
        return self._watts * cpu_s

    def close(self) -> None:
        """Nothing is held."""
