"""What metrics are given of real kernels: timed calls, readings from outside, null calls."""

import numpy as np
import pytest

SOLUTION = """
import time
def burn(seconds):
    began = time.process_time()
    while time.process_time() < began + seconds:
        pass
    return seconds
"""


def test_a_timed_call_brings_its_answer_and_its_cost_is_read_from_outside(live):
    burn = live(SOLUTION).burn
    burn(0.01)
    before = burn.reading()
    timing = burn.timed(0.1)
    after = burn.reading()
    assert timing.value == 0.1
    assert after.cpu_s - before.cpu_s >= 0.1
    assert timing.wall_s >= 0.1


def test_a_null_call_takes_the_arguments_and_returns_the_answer_and_does_no_work(baseline):
    burn = baseline(SOLUTION).burn
    answer = {"rows": np.arange(12.0).reshape(3, 4)}
    before = burn.reading()
    found = burn.null((5.0,), answer)
    assert burn.reading().cpu_s - before.cpu_s < 5.0
    np.testing.assert_array_equal(found.value["rows"], answer["rows"])


def test_the_student_s_kernel_makes_no_null_calls(live):
    with pytest.raises(Exception, match="bareme_keep` is not defined"):
        live(SOLUTION).burn.null((5.0,), 1)
