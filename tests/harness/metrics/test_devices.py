"""Facts about devices: files and an NVML that are made up, and this machine's own."""

import pynvml
import pytest

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics import devices
from harness.metrics.devices import Gpu
from harness.records import Text

CPUINFO = (
    "processor\t: 0\nmodel name\t: Example 5 GHz\ncpu MHz\t\t: 2600.5\n\nprocessor\t: 1\nmodel name\t: Example 5 GHz\n"
)
EVERYTHING = {
    "SystemGetDriverVersion": b"550.54",  # bytes, as older releases of pynvml answer
    "SystemGetCudaDriverVersion": 12040,
    "DeviceGetClockInfo": lambda handle, which: {pynvml.NVML_CLOCK_SM: 1200, pynvml.NVML_CLOCK_MEM: 2600}[which],
    "DeviceGetMaxClockInfo": lambda handle, which: {pynvml.NVML_CLOCK_SM: 1980, pynvml.NVML_CLOCK_MEM: 2619}[which],
    "DeviceGetEnforcedPowerLimit": 700_000,
    "DeviceGetMigMode": [[0, 1]],  # now, and after the next reset
    "DeviceGetPersistenceMode": 1,
    "DeviceGetCurrentClocksEventReasons": 0x4,
}


def named(facts):
    """(value, unit) by name, all in English."""
    english = ((fact, fact.value.en if isinstance(fact.value, Text) else fact.value) for fact in facts)
    return {fact.name.en: (value, fact.unit) for fact, value in english}


@pytest.fixture
def machine(tmp_path):
    cpufreq = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    cpufreq.mkdir(parents=True)
    (cpufreq / "scaling_governor").write_text("performance\n")
    (cpufreq / "cpuinfo_max_freq").write_text("3700000\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(CPUINFO)
    (tmp_path / "proc/meminfo").write_text("MemTotal:       16777216 kB\nMemFree: 1 kB\n")
    (tmp_path / "proc/stat").write_text("cpu  50 0 20 20 0 0 0 10 999 999\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    return tmp_path


def test_what_a_cpu_tells(machine):
    found = named(devices.cpu_facts(machine))
    assert found["processor"] == ("Example 5 GHz", "")
    assert found["cores that can be seen"] == (2.0, "")
    assert found["governor"] == ("performance", "")
    assert found["highest frequency"] == (3700.0, "MHz")
    assert found["frequency"] == (2600.5, "MHz")
    assert found["memory"] == (16.0, "GiB")
    assert found["time taken by other virtual machines since the start"] == (10.0, "%")


def test_what_a_cpu_does_not_tell_is_said_to_be_unknown(tmp_path):
    found = named(devices.cpu_facts(tmp_path))
    silent = {name for name, (value, unit) in found.items() if str(value).startswith("unknown (") and unit == ""}
    assert silent == set(found) - {"cores that may be used", "system kernel"}


@pytest.mark.parametrize("stat", ["cpu  1 2 3\n", "cpu  0 0 0 0 0 0 0 0\n", "intr 5\n", "cpu a b c d e f g h\n"])
def test_times_of_another_form_are_unknown(machine, stat):
    (machine / "proc/stat").write_text(stat)
    value, _ = named(devices.cpu_facts(machine))["time taken by other virtual machines since the start"]
    assert str(value).startswith("unknown (")


def test_this_machine_has_a_processor():
    assert not str(named(devices.cpu_facts())["processor"][0]).startswith("unknown")


def test_what_a_gpu_tells(fake_nvml):
    nvml = fake_nvml(**EVERYTHING)
    with Gpu(nvml, 0) as gpu:
        found = named(devices.gpu_facts(gpu))
    assert nvml.users == 0
    assert found["GPU"] == ("NVIDIA Test 9000", "")
    assert found["driver"] == ("550.54", "")
    assert found["CUDA of the driver"] == ("12.4", "")
    assert (found["SM clock"], found["highest SM clock"]) == ((1200.0, "MHz"), (1980.0, "MHz"))
    assert (found["memory clock"], found["highest memory clock"]) == ((2600.0, "MHz"), (2619.0, "MHz"))
    assert found["power limit"] == (700.0, "W")
    assert (found["MIG"], found["persistence mode"]) == (("off", ""), ("on", ""))
    assert found["clock throttling"] == ("SwPowerCap", "")
    assert not str(found["torch"][0]).startswith("unknown")


def test_what_a_gpu_does_not_tell_is_said_to_be_unknown(fake_nvml):
    found = named(devices.gpu_facts(Gpu(fake_nvml(), 0)))
    silent = {name for name, (value, unit) in found.items() if str(value).startswith("unknown (") and unit == ""}
    assert silent == set(found) - {"GPU", "torch"}
    assert found["MIG"][0] == "unknown (Not Supported)"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"Init": pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)}, "NVML cannot be started"),
        ({"Init": pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)}, "Driver Not Loaded"),
        ({"DeviceGetHandleByIndex": pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)}, "shows no GPU 3"),
        ({"DeviceGetHandleByIndex": pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)}, "Insufficient Permissions"),
    ],
)
def test_a_gpu_that_is_not_there_is_an_error_of_ours(fake_nvml, answers, words):
    nvml = fake_nvml(**answers)
    with pytest.raises(InfrastructureError, match=words):
        Gpu(nvml, 3)
    assert nvml.users == 0


def test_the_package_for_nvml_is_an_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bareme\[metrics\]'"):
        Gpu.opened()


def test_reasons_for_low_clocks_are_nvml_s():
    for bit, word in devices.THROTTLES.items():
        assert getattr(pynvml, f"nvmlClocksEventReason{word}") == bit


@pytest.mark.gpu
def test_a_real_gpu_tells_its_name_driver_and_clocks():
    with Gpu.opened() as gpu:
        found = named(devices.gpu_facts(gpu))
    for name in ("GPU", "driver", "CUDA of the driver", "SM clock", "power limit"):
        assert not str(found[name][0]).startswith("unknown"), found[name]
