"""What an assignment may ask of a measurement of speed, and the constants of the protocol.

Not covered: carrying it out (`measure`).
"""

import math
from dataclasses import dataclass
from typing import Literal

from harness.errors import ConfigurationError
from harness.metrics.speed.blocks import Draw
from harness.records import Fact

Clock = Literal["cpu", "wall"]

FEWEST_BLOCKS = 5  # protocol; an interval from fewer says little
WARM_UP = 3  # calls to each kernel before any counts: imports, caches of the libraries and of the processor
TRIAL = 3  # calls to each kernel from which the number of calls a block is derived
MOST_ROUNDS = 40  # a block: one of the fastest functions then takes a fifth of a second
BUSY = 0.25  # share of its CPU time that a kernel waited for a processor, beyond which a block is repeated
OVERHEAD_DOUBT = 0.2  # of a null call: by which transport differs between kernels, and in a row from in turn
START_DOUBT = 0.04  # of the log ratio, 95 %: by which two starts of the same kernels differ (where memory came to lie)
SIGNAL = 3.0  # times the doubt about null calls that work must be, to be told from it
SUSPICIOUS = 10.0  # times as fast as the baseline, beyond which a person looks (protocol)
UNSEEN = 0.5  # of the CPU time: wall time that neither work, waiting nor transport explains
SEVERAL = 1.2  # processors at once beyond the threads that are allowed, before it is stated
IDLE = 0.02  # share of the CPU time that was used between calls, before it is stated


@dataclass(frozen=True, slots=True)
class Settings:
    """How a function is timed; the defaults are right for a function of the CPU that takes 5 ms or more a call."""

    clock: Clock = "cpu"  # of the headline; "wall" for work on a GPU, which CPU time does not show
    threads: int = 1  # that the assignment allows
    floor_s: float | None = None  # least time a call can take, from operations and bytes (roofline)
    blocks: int = 9
    block_s: float = 0.1  # work of the faster of both kernels in a block, at least
    warm_up: Draw | None = None  # dummy inputs, of other shapes than `draw` gives; None: `draw`
    facts: tuple[Fact, ...] = ()  # recorded beside the ratio: the GPU's name, driver and clocks

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out.

        Raises:
            ConfigurationError: an unknown clock, too few blocks or threads, or a duration that is none.
        """
        if self.clock not in {"cpu", "wall"}:
            raise _wrong("clock", self.clock, "Write 'cpu', or 'wall' for work on a GPU.")
        if self.threads < 1:
            raise _wrong("threads", self.threads, "Allow one or more.")
        if self.blocks < FEWEST_BLOCKS:
            raise _wrong("blocks", self.blocks, f"Take {FEWEST_BLOCKS} or more.")
        if not (math.isfinite(self.block_s) and self.block_s > 0):
            raise _wrong("block_s", self.block_s, "Give the seconds of work in a block, such as 0.1.")
        if self.floor_s is not None and not (math.isfinite(self.floor_s) and self.floor_s >= 0):
            raise _wrong("floor_s", self.floor_s, "Give seconds a call, or None.")


def _wrong(key: str, value: object, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"speed: {key}={value!r} is impossible", remedy=remedy)
