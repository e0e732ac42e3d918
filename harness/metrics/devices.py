"""What is known about the machine that a figure was taken on: facts for the record of a measurement, GPU and CPU.

What cannot be read is there too, as unknown with the reason: a missing line would look like a machine without it.
Not covered: whether a GPU may be used (`doctor`), and how much energy it draws (`energy`).
"""

import os
import platform
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from harness.errors import InfrastructureError, MissingExtra
from harness.records import Fact, Text

ROOT = Path("/")
GIB = 2**30
KIB = 1024
USER_HZ_FIELDS = 8  # user nice system idle iowait irq softirq steal, proc(5); guest time is part of user
THROTTLES = {  # nvml.h, nvmlClocksEventReasons: bit -> word
    0x1: "GpuIdle",
    0x2: "ApplicationsClocksSetting",
    0x4: "SwPowerCap",
    0x8: "HwSlowdown",
    0x10: "SyncBoost",
    0x20: "SwThermalSlowdown",
    0x40: "HwThermalSlowdown",
    0x80: "HwPowerBrakeSlowdown",
    0x100: "DisplayClockSetting",
}


class Gpu:
    """A GPU as NVML sees it. Close it: NVML counts its users."""

    def __init__(self, nvml: Any, index: int) -> None:
        """`nvml` is the module `pynvml`, or what behaves like it; `index` counts as nvidia-smi does.

        Raises:
            InfrastructureError: there is no driver, no such GPU, or it may not be looked at.
        """
        self.nvml = nvml
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            raise _no_gpu(f"NVML cannot be started: {error}") from error
        try:
            self.handle = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError as error:
            nvml.nvmlShutdown()
            raise _no_gpu(f"NVML shows no GPU {index}: {error}") from error

    @classmethod
    def opened(cls, index: int = 0) -> Self:
        """GPU `index` of this machine.

        Raises:
            ConfigurationError: the package that speaks to NVML is not installed.
            InfrastructureError: there is no such GPU.
        """
        return cls(_pynvml(), index)

    def name(self) -> str | Text:
        """What NVIDIA calls it, or that it does not say."""
        return _told(lambda: self.nvml.nvmlDeviceGetName(self.handle), self.nvml.NVMLError)

    def close(self) -> None:
        """Done with NVML."""
        self.nvml.nvmlShutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def gpu_facts(gpu: Gpu) -> tuple[Fact, ...]:
    """Name, driver, versions, clocks, power limit, MIG, persistence, throttling; never raises for what is not told."""
    nvml, handle = gpu.nvml, gpu.handle
    questions: Sequence[tuple[Text, Callable[[], Any], str]] = (
        (Text("GPU", "GPU"), lambda: nvml.nvmlDeviceGetName(handle), ""),
        (Text("pilote", "driver"), nvml.nvmlSystemGetDriverVersion, ""),
        (Text("CUDA du pilote", "CUDA of the driver"), lambda: _cuda(nvml.nvmlSystemGetCudaDriverVersion()), ""),
        (Text("fréquence des processeurs", "SM clock"), lambda: _clock(nvml, handle, "SM"), "MHz"),
        (
            Text("fréquence maximale des processeurs", "highest SM clock"),
            lambda: _clock(nvml, handle, "SM", most=True),
            "MHz",
        ),
        (Text("fréquence de la mémoire", "memory clock"), lambda: _clock(nvml, handle, "MEM"), "MHz"),
        (
            Text("fréquence maximale de la mémoire", "highest memory clock"),
            lambda: _clock(nvml, handle, "MEM", most=True),
            "MHz",
        ),
        (Text("limite de puissance", "power limit"), lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000, "W"),
        (Text("MIG", "MIG"), lambda: _on(nvml.nvmlDeviceGetMigMode(handle)[0]), ""),
        (Text("mode persistant", "persistence mode"), lambda: _on(nvml.nvmlDeviceGetPersistenceMode(handle)), ""),
        (
            Text("freins de fréquence", "clock throttling"),
            lambda: throttling(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)),
            "",
        ),
    )
    return (
        *(Fact(name, *_valued(question, unit, nvml.NVMLError)) for name, question, unit in questions),
        Fact(Text("torch", "torch"), _package("torch")),
    )


def cpu_facts(root: Path = ROOT) -> tuple[Fact, ...]:
    """Model, cores, governor, frequency, memory, share of time taken by other guests; `root` is where / is.

    Never raises for what cannot be read.
    """
    cpu = root / "sys/devices/system/cpu/cpu0/cpufreq"
    questions: Sequence[tuple[Text, Callable[[], Any], str]] = (
        (Text("processeur", "processor"), lambda: _line(root / "proc/cpuinfo", "model name"), ""),
        (Text("cœurs visibles", "cores that can be seen"), lambda: _cores(root / "proc/cpuinfo"), ""),
        (Text("cœurs permis", "cores that may be used"), lambda: len(os.sched_getaffinity(0)), ""),
        (Text("gouverneur", "governor"), lambda: _read(cpu / "scaling_governor"), ""),
        (Text("fréquence maximale", "highest frequency"), lambda: int(_read(cpu / "cpuinfo_max_freq")) / 1000, "MHz"),
        (Text("fréquence", "frequency"), lambda: float(_line(root / "proc/cpuinfo", "cpu MHz")), "MHz"),
        (
            Text("mémoire", "memory"),
            lambda: int(_line(root / "proc/meminfo", "MemTotal").split()[0]) * KIB / GIB,
            "GiB",
        ),
        (
            Text(
                "temps pris par d'autres machines virtuelles depuis le démarrage",
                "time taken by other virtual machines since the start",
            ),
            lambda: 100 * steal(root),
            "%",
        ),
        (Text("noyau du système", "system kernel"), platform.release, ""),
    )
    return tuple(
        Fact(name, *_valued(question, unit, (OSError, ValueError, LookupError))) for name, question, unit in questions
    )


def throttling(reasons: int) -> str | Text:
    """The reasons why clocks are lower than they could be, in NVIDIA's words.

    >>> throttling(0x4 | 0x20), throttling(0x8000), throttling(0)
    ('SwPowerCap, SwThermalSlowdown', '0x8000', Text(fr='aucun', en='none'))
    """
    words = [word for bit, word in THROTTLES.items() if reasons & bit]
    others = reasons & ~sum(THROTTLES)
    return ", ".join([*words, *([hex(others)] if others else [])]) or Text("aucun", "none")


def steal(root: Path = ROOT) -> float:
    """Share of this machine's CPU time since it started in which the host ran something else.

    Raises:
        OSError, ValueError: /proc/stat is missing or of another form.
    """
    fields = [int(field) for field in _line(root / "proc/stat", "cpu ", separator="cpu ").split()[:USER_HZ_FIELDS]]
    if len(fields) < USER_HZ_FIELDS or not sum(fields):
        raise ValueError(f"/proc/stat: expected {USER_HZ_FIELDS} times, got {fields}")
    return fields[-1] / sum(fields)


def _pynvml() -> ModuleType:
    try:
        return import_module("pynvml")
    except ImportError as error:
        raise MissingExtra("nvidia-ml-py") from error


def _no_gpu(problem: str) -> InfrastructureError:
    return InfrastructureError(
        problem, remedy="See whether `nvidia-smi` works here; else mark on a machine with a GPU."
    )


def _valued(question: Callable[[], Any], unit: str, troubles: Any) -> tuple[float | str | Text, str]:
    """(value, unit), or what is unknown and why, which has no unit."""
    try:
        value = question()
    except troubles as error:
        return _unknown(error), ""
    return (float(value), unit) if isinstance(value, int | float) else (_words(value), unit)


def _told(question: Callable[[], Any], troubles: Any) -> str | Text:
    """The same for what is no number."""
    try:
        return _words(question())
    except troubles as error:
        return _unknown(error)


def _words(value: Any) -> str | Text:
    if isinstance(value, Text):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)  # older releases of pynvml


def _unknown(why: object) -> Text:
    return Text(f"inconnu ({why})", f"unknown ({why})")


def _clock(nvml: Any, handle: Any, which: str, *, most: bool = False) -> int:
    ask = nvml.nvmlDeviceGetMaxClockInfo if most else nvml.nvmlDeviceGetClockInfo
    return int(ask(handle, getattr(nvml, f"NVML_CLOCK_{which}")))


def _cuda(number: int) -> str:
    """12040 is 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _on(state: int) -> Text:
    return Text("activé", "on") if state else Text("désactivé", "off")


def _package(name: str) -> str | Text:
    try:
        return version(name)
    except PackageNotFoundError:
        return Text("inconnu (non installé)", "unknown (not installed)")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()


def _line(path: Path, key: str, *, separator: str = ":") -> str:
    """What stands behind the separator in the first line that starts with `key`."""
    for line in _read(path).splitlines():
        if line.startswith(key):
            return line.partition(separator)[2].strip()
    raise LookupError(f"{path.name} has no line {key.strip()!r}")


def _cores(cpuinfo: Path) -> int:
    return sum(line.startswith("processor") for line in _read(cpuinfo).splitlines())
