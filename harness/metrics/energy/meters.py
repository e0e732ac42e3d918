"""What a meter of energy is, and which one is used: counters of the device, else an estimate that says it is one.

Order: on a GPU, NVML and nothing else; on a CPU, RAPL, else CPU time times stated watts. Never one in place of another
without a fact that says why. Not covered: the meters themselves (`nvml`, `rapl`, `estimate`).
"""

from typing import Protocol

from harness.records import Fact, Text


class Meter(Protocol):
    """Counts joules between `begin` and `end`."""

    title: Text  # of what is measured with it
    unit: str  # "J", or "J est." for an estimate: the unit is shown wherever the value is
    estimated: bool  # stands on an assumption, and says so
    whole_machine: bool  # sees what everything on the device draws: idle power is to be taken off
    least_s: float  # shortest stretch that it resolves well
    facts: tuple[Fact, ...]  # what it reads, and why it was chosen

    def begin(self) -> None:
        """Count from now on."""

    def end(self, cpu_s: float) -> float:
        """Joules since `begin`; `cpu_s`: CPU time of the kernel meanwhile, for meters that know nothing else."""

    def close(self) -> None:
        """Give back what it holds."""


class Unreadable(Exception):
    """A meter cannot be read on this machine; `reason` goes into the facts of the one used instead."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason
