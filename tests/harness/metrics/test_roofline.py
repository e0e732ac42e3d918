"""The floor under a duration, and the peaks of this machine."""

import math

import pytest
import torch

from harness.metrics import roofline


@pytest.mark.parametrize(
    ("operations", "moved_bytes", "floor"),
    [
        (1e9, 0.0, 0.01),  # computing decides
        (0.0, 1e9, 0.1),  # moving decides
        (1e9, 1e9, 0.1),
        (1e10, 1e9, 0.1),  # both at once: the ridge
        (2e10, 1e9, 0.2),
        (0.0, 0.0, 0.0),
    ],
)
def test_the_longer_of_computing_and_moving(operations, moved_bytes, floor):
    assert roofline.floor_s(operations, moved_bytes, peak_flops=1e11, peak_bytes_per_s=1e10) == pytest.approx(floor)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["operations", "moved_bytes", "peak_flops", "peak_bytes_per_s"])
def test_impossible_work_and_peaks_are_named(name, wrong):
    values = {"operations": 1.0, "moved_bytes": 1.0, "peak_flops": 1.0, "peak_bytes_per_s": 1.0, name: wrong}
    with pytest.raises(ValueError, match=name):
        roofline.floor_s(values.pop("operations"), values.pop("moved_bytes"), **values)


def test_a_peak_of_nothing_is_no_peak():
    with pytest.raises(ValueError, match="peak_flops: expected a finite number above 0"):
        roofline.floor_s(1.0, 1.0, peak_flops=0.0, peak_bytes_per_s=1.0)


@pytest.mark.slow
def test_peaks_are_this_machine_s_and_threads_are_given_back():
    before = torch.get_num_threads()
    single, double = roofline.measure_peaks("float32"), roofline.measure_peaks("float64")
    assert torch.get_num_threads() == before
    for peaks in (single, double):
        assert 1e8 < peaks.flops < 1e15
        assert 1e8 < peaks.bytes_per_s < 1e13
