"""NVML as a meter: the counter, else power; a GPU that is made up, and a real one where there is one."""

import pynvml
import pytest

from harness.errors import InfrastructureError
from harness.metrics.devices import Gpu
from harness.metrics.energy.meters import Unreadable
from harness.metrics.energy.nvml import EnergyCounter, PowerSamples, integrated
from harness.metrics.energy.settings import of_gpu
from harness.records import Text

LOST = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
NOT_SUPPORTED = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
WHY = Text("c'est un test", "this is a test")


def test_the_counter_of_the_board_is_taken_where_it_has_one(fake_nvml):
    nvml = fake_nvml(DeviceGetTotalEnergyConsumption=[5_000_000, 5_000_000, 5_012_500], DeviceGetPowerUsage=1)
    meter = of_gpu(Gpu(nvml, 0))
    meter.begin()
    assert meter.end(cpu_s=9.0) == pytest.approx(12.5)  # millijoules
    assert isinstance(meter, EnergyCounter)
    assert meter.facts[0].value == "NVIDIA Test 9000"
    meter.close()
    assert nvml.users == 0


def test_else_power_is_integrated_and_the_facts_say_why(fake_nvml):
    ticks = iter([0.0, 10.0, 14.0])
    nvml = fake_nvml(DeviceGetPowerUsage=[100_000, 100_000, 300_000])
    gpu = Gpu(nvml, 0)
    with pytest.raises(Unreadable, match="nvmlDeviceGetTotalEnergyConsumption answers 'Not Supported'"):
        EnergyCounter(gpu)
    meter = PowerSamples(gpu, why=WHY, clock=lambda: next(ticks))
    meter._run = lambda: None  # no samples between: the two at the ends decide
    meter.begin()
    assert meter.end(0.0) == pytest.approx(800.0)  # (100 W + 300 W) / 2 for 4 s
    assert any(isinstance(fact.value, Text) and fact.value.en == "this is a test" for fact in meter.facts)


def test_samples_are_taken_meanwhile(fake_nvml):
    asked = []
    nvml = fake_nvml(DeviceGetPowerUsage=lambda handle: asked.append(handle) or 50_000)
    meter = of_gpu(Gpu(nvml, 0))
    assert isinstance(meter, PowerSamples)
    meter.begin()
    while len(asked) < 6:
        pass
    meter.end(0.0)
    assert len(meter._samples) >= 5
    assert {watts for _, watts in meter._samples} == {50.0}
    assert not meter._thread.is_alive()


def test_a_second_stretch_starts_from_nothing(fake_nvml):
    meter = PowerSamples(Gpu(fake_nvml(DeviceGetPowerUsage=lambda handle: 1_000_000), 0), why=WHY)
    for _ in range(2):
        meter.begin()
        began, _ = meter._samples[0]
        joules = meter.end(0.0)
        assert joules == pytest.approx(1000.0 * (meter._samples[-1][0] - began))


def test_a_gpu_that_tells_neither_is_no_score_and_no_estimate(fake_nvml):
    nvml = fake_nvml()
    with pytest.raises(InfrastructureError, match=r"neither its energy .* nor its power"):
        of_gpu(Gpu(nvml, 0))
    assert nvml.users == 0


def test_a_counter_that_is_lost_meanwhile_is_no_score(fake_nvml):
    meter = of_gpu(Gpu(fake_nvml(DeviceGetTotalEnergyConsumption=[1, 1, LOST]), 0))
    meter.begin()
    with pytest.raises(InfrastructureError, match="can no longer be read"):
        meter.end(0.0)


def test_power_that_is_lost_in_the_thread_is_told_to_whoever_waits(fake_nvml):
    answers = iter([1000, 1000, LOST])  # and back again when all is over
    meter = PowerSamples(Gpu(fake_nvml(DeviceGetPowerUsage=lambda handle: next(answers, 1000)), 0), why=WHY)
    meter.begin()
    meter._thread.join(5)
    with pytest.raises(InfrastructureError, match="can no longer be read"):
        meter.end(0.0)


def test_trapezoids_are_exact_for_straight_lines_and_unequal_steps():
    times = [0.0, 0.5, 0.6, 3.0]
    assert integrated(times, [2 + 4 * t for t in times]) == pytest.approx(2 * 3 + 2 * 9)
    assert integrated([1.0], [5.0]) == 0.0


@pytest.mark.gpu
@pytest.mark.slow
def test_a_real_gpu_draws_more_when_it_works():
    import torch

    meter = of_gpu(Gpu.opened())
    joules = []
    for work in (False, True):
        torch.cuda.synchronize()
        meter.begin()
        began = torch.cuda.Event(enable_timing=True)
        ended = torch.cuda.Event(enable_timing=True)
        began.record()
        left = torch.ones(4096, 4096, device="cuda")
        while True:
            if work:
                left = torch.nn.functional.normalize(left @ left)
            ended.record()
            torch.cuda.synchronize()
            if began.elapsed_time(ended) > 2000:
                break
        joules.append(meter.end(0.0))
    meter.close()
    assert joules[1] > 1.3 * joules[0] > 0
