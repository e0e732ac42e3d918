"""Energy of a GPU through NVML: its counter where it has one, else power sampled and integrated.

Counts the whole board, whoever uses it: one submission per GPU. Not covered: slices of a GPU (MIG), whose power NVML
does not tell apart, and the CPU beside it.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.errors import InfrastructureError
from harness.metrics.devices import Gpu
from harness.metrics.energy.meters import Unreadable
from harness.records import Fact, Text

SAMPLE_S = 0.02  # NVML renews its figures every 20 to 100 ms
LEAST_S = 2.0  # twenty renewals and more, so that the ends of a stretch weigh a few percent
MILLI = 1e-3
JOIN_S = 5.0  # for the sampling thread to end; one sample takes a millisecond


class EnergyCounter:
    """Keeps `meters.Meter` with the counter of the board (Volta and later)."""

    title = Text("Énergie par appel (compteur NVML)", "Energy a call (NVML counter)")
    unit = "J"
    estimated = False
    whole_machine = True
    least_s = LEAST_S

    def __init__(self, gpu: Gpu) -> None:
        """`gpu` is closed with this.

        Raises:
            Unreadable: the board has no counter, or it may not be read.
        """
        self._gpu = gpu
        self._before_j = 0.0
        self._read(first=True)
        self.facts: tuple[Fact, ...] = (
            Fact(Text("méthode : compteur d'énergie NVML", "method: NVML energy counter"), gpu.name()),
        )

    def begin(self) -> None:
        self._before_j = self._read()

    def end(self, cpu_s: float) -> float:  # noqa: ARG002  (the contract's)
        return self._read() - self._before_j

    def close(self) -> None:
        self._gpu.close()

    def _read(self, *, first: bool = False) -> float:
        """Joules since the driver was loaded."""
        try:
            return MILLI * float(self._gpu.nvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu.handle))
        except self._gpu.nvml.NVMLError as error:
            raise _trouble(error, "nvmlDeviceGetTotalEnergyConsumption", first=first) from error


class PowerSamples:
    """Keeps `meters.Meter` by sampling power in a thread and adding up trapezoids."""

    title = Text("Énergie par appel (puissance NVML, intégrée)", "Energy a call (NVML power, integrated)")
    unit = "J"
    estimated = False
    whole_machine = True
    least_s = LEAST_S

    def __init__(self, gpu: Gpu, *, why: Text, clock: Callable[[], float] = time.perf_counter) -> None:
        """`gpu` is closed with this; `why` the counter is not used.

        Raises:
            Unreadable: power cannot be read either.
        """
        self._gpu = gpu
        self._clock = clock
        self._samples: list[tuple[float, float]] = []  # (seconds, watts)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: Exception | None = None
        self._sample(first=True)
        self.facts: tuple[Fact, ...] = (
            Fact(
                Text("méthode : puissance NVML, échantillonnée toutes les", "method: NVML power, sampled every"),
                SAMPLE_S * 1e3,
                "ms",
            ),
            Fact(Text("pas de compteur", "no counter"), why),
            Fact(Text("GPU", "GPU"), gpu.name()),
        )

    def begin(self) -> None:
        self._samples, self._trouble = [], None
        self._stop.clear()
        self._sample()
        self._thread = threading.Thread(target=self._run, name="gpu-power", daemon=True)
        self._thread.start()

    def end(self, cpu_s: float) -> float:  # noqa: ARG002  (the contract's)
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        if self._trouble is not None:
            raise self._trouble
        self._sample()
        times, watts = np.array(self._samples).T
        return integrated(times, watts)

    def close(self) -> None:
        self._stop.set()
        self._gpu.close()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            try:
                self._sample()
            except InfrastructureError as error:  # told to whoever waits for the joules
                self._trouble = error
                return

    def _sample(self, *, first: bool = False) -> None:
        try:
            watts = MILLI * float(self._gpu.nvml.nvmlDeviceGetPowerUsage(self._gpu.handle))
        except self._gpu.nvml.NVMLError as error:
            raise _trouble(error, "nvmlDeviceGetPowerUsage", first=first) from error
        self._samples.append((self._clock(), watts))


def integrated(times_s: Any, watts: Any) -> float:
    """Joules under a curve of power, by trapezoids: exact where power changes linearly between samples.

    >>> integrated([0.0, 1.0, 3.0], [10.0, 20.0, 20.0])
    55.0
    """
    t, p = np.asarray(times_s, dtype=np.float64), np.asarray(watts, dtype=np.float64)
    return float(np.sum((p[1:] + p[:-1]) / 2 * np.diff(t)))


def _trouble(error: Exception, function: str, *, first: bool) -> Exception:
    """At the first reading another meter may do; later, what was begun cannot be ended."""
    if first:
        return Unreadable(Text(f"{function} répond « {error} »", f"{function} answers '{error}'"))
    return InfrastructureError(f"the GPU's energy can no longer be read: {function}: {error}", remedy="Mark again.")
