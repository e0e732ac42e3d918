"""What an assignment says about a measurement of energy, and which meter that leads to.

Not covered: reading the meters (`rapl`, `nvml`, `estimate`), carrying out (`measure`).
"""

from dataclasses import dataclass

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.devices import Gpu
from harness.metrics.energy.carbon import Grid
from harness.metrics.energy.estimate import WATTS_PER_CORE, Estimate
from harness.metrics.energy.meters import Meter, Unreadable
from harness.metrics.energy.nvml import EnergyCounter, PowerSamples
from harness.metrics.energy.rapl import Rapl
from harness.records import Device, Fact

FEWEST_BLOCKS = 5  # as for speed: an interval from fewer says little


@dataclass(frozen=True, slots=True)
class Settings:
    """How energy is counted. The grid has no default: see `carbon`."""

    grid: Grid
    device: Device = "cpu"  # that does the work, and whose energy counts
    gpu: int = 0  # which one, as nvidia-smi counts
    watts_per_core: float = WATTS_PER_CORE  # for the estimate
    blocks: int = 7
    meter: Meter | None = None  # None: the best that can be read here
    facts: tuple[Fact, ...] = ()  # recorded beside the figures, such as `devices.cpu_facts()`

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out.

        Raises:
            ConfigurationError: an unknown device, or too few blocks.
        """
        if self.device not in {"cpu", "cuda"}:
            raise ConfigurationError(f"energy: device={self.device!r} is unknown", remedy="Write 'cpu' or 'cuda'.")
        if self.blocks < FEWEST_BLOCKS:
            raise ConfigurationError(
                f"energy: blocks={self.blocks} is impossible", remedy=f"Take {FEWEST_BLOCKS} or more."
            )


def choose(settings: Settings) -> Meter:
    """The best meter that can be read here; its facts say what it is and why no better one.

    Raises:
        InfrastructureError: the energy of a GPU is asked for and NVML tells nothing: CPU time says nothing about it.
        ConfigurationError: the package that speaks to NVML is not installed.
    """
    if settings.device == "cuda":
        return of_gpu(Gpu.opened(settings.gpu))
    try:
        return Rapl.found()
    except Unreadable as error:
        return Estimate(settings.watts_per_core, why=error.reason)


def of_gpu(gpu: Gpu) -> Meter:
    """The counter of the board, else its power.

    Raises:
        InfrastructureError: neither can be read.
    """
    try:
        return EnergyCounter(gpu)
    except Unreadable as no_counter:
        try:
            return PowerSamples(gpu, why=no_counter.reason)
        except Unreadable as error:
            gpu.close()
            raise InfrastructureError(
                f"the GPU tells neither its energy ({no_counter}) nor its power ({error})",
                remedy="Measure energy on another GPU; CPU time says nothing about this one.",
            ) from error
