"""Energy with meters whose joules are known: over kernels that are made up, and over real ones."""

import importlib
import math
import time

import numpy as np
import pytest

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics import energy
from harness.metrics.contract import Reading, Refused, Timing
from harness.metrics.energy.estimate import Estimate
from harness.records import Text

GRID = energy.Grid(50.0, Text("ici", "here"), 2024, "the test")
WHY = Text("c'est un test", "this is a test")
NULL_S = 0.001
MEASURE = importlib.import_module("harness.metrics.energy.measure")
KNOWN = importlib.import_module("harness.metrics.energy.known")


class Kernel:
    """Uses a known CPU time a call, and one millisecond for each request that does no work."""

    def __init__(self, work_s, *, at_rest=0.0, answer=lambda x: x):
        self._work_s, self._at_rest, self._answer = work_s, at_rest, answer
        self._cpu_s = 0.0
        self.start = 1

    def timed(self, x):
        self._cpu_s += self._work_s + NULL_S
        return Timing(self._answer(x), 0.0)

    def null(self, args, answer):
        self._cpu_s += 2 * NULL_S  # one request hands the answer over, the other brings it back
        return Timing(answer, 0.0)

    def reading(self):
        return Reading(self._cpu_s + self._at_rest * time.perf_counter(), 0.0, 0, self.start)


class WholeMachine(Estimate):
    """Sees a busy core's 8 W, and 3 kW that are drawn anyway."""

    title = Text("Énergie", "Energy")
    unit = "J"
    estimated, whole_machine = False, True
    closed = False

    def __init__(self):
        super().__init__(8.0, why=WHY)

    def begin(self):
        self._began = time.perf_counter()

    def end(self, cpu_s):
        return super().end(cpu_s) + 3000.0 * (time.perf_counter() - self._began)

    def close(self):
        self.closed = True


class Deaf(Estimate):
    """Hears nothing of less than a stretch of work."""

    def __init__(self, below_s):
        super().__init__(8.0, why=WHY)
        self._below_s = below_s

    def end(self, cpu_s):
        return super().end(cpu_s) if cpu_s > self._below_s else 0.0


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(MEASURE, "IDLE_S", 0.02)


def agree(answer, expected):
    assert answer == expected, "another answer"


def run(subject, baseline, meter, **options):
    return energy.measure(
        subject,
        baseline,
        lambda rng: (float(rng.normal()),),
        rng=np.random.default_rng(1),
        same=agree,
        settings=energy.Settings(GRID, meter=meter, **options),
    )


def test_an_estimate_is_watts_times_processor_time_and_says_that_it_is_one():
    joules, ratio, carbon = run(Kernel(0.02), Kernel(0.01), Estimate(10.0, why=WHY))
    assert joules.value == pytest.approx(0.2)
    assert joules.baseline == pytest.approx(0.1)
    assert ratio.value == pytest.approx(2.0)
    assert carbon.value == pytest.approx(0.2 * 1e6 / 3.6e6 * 50.0)
    assert (joules.unit, carbon.unit) == ("J est.", "gCO2e est.")
    assert all(found.timed for found in (joules, ratio, carbon))
    assert all("estim" in found.title.fr and "estimate" in found.title.en for found in (joules, ratio, carbon))
    assert any(isinstance(fact.value, Text) and fact.value.en == "this is a test" for fact in joules.facts)
    assert any("2024 (the test)" in fact.name.en and fact.value == 50.0 for fact in carbon.facts)
    assert next(fact.value for fact in joules.facts if "null call" in fact.name.en) == pytest.approx(10 * NULL_S)


def test_a_block_unlike_the_others_moves_no_end_below_nothing():
    found = MEASURE._interval(np.array([0.01, 1.0, 1.0, 2.0, 10.0]))
    assert 0 < found.low < 0.01 < 10.0 < found.high


def test_power_at_rest_is_taken_off_what_the_whole_machine_draws():
    meter = WholeMachine()
    joules, ratio, _ = run(Kernel(0.02), Kernel(0.01), meter)
    assert joules.value == pytest.approx(0.16, rel=0.1)
    assert ratio.value == pytest.approx(2.0, rel=0.1)
    assert next(fact.value for fact in joules.facts if "at rest" in fact.name.en) == pytest.approx(3000.0, rel=0.05)
    assert joules.unit == "J"
    assert not any("estim" in found.title.fr for found in (joules, ratio))
    assert meter.closed


def test_power_at_rest_counts_for_as_long_as_the_calls_took():
    kernel, meter = Kernel(1.0), Estimate(8.0, why=WHY)
    charge = MEASURE.Account(meter, idle_w=5e5).visit(kernel, [(1.0,), (2.0,)])
    assert charge.joules == pytest.approx(8.0 * 2 * (1.0 + NULL_S) - 5e5 * charge.wall_s)
    assert charge.joules < 16.0


def test_a_notebook_that_raises_the_power_at_rest_is_refused_and_the_meter_given_back():
    meter = WholeMachine()
    with pytest.raises(Refused, match="restless"):
        run(Kernel(0.02, at_rest=0.5), Kernel(0.01), meter)
    assert meter.closed


def test_a_wrong_answer_has_no_energy():
    with pytest.raises(AssertionError, match="another answer"):
        run(Kernel(0.001, answer=lambda x: 0.0), Kernel(0.01), Estimate(8.0, why=WHY))


def test_an_answer_that_is_wrong_only_later_has_none_either():
    answers = iter(range(10**6))
    with pytest.raises(AssertionError, match="another answer"):
        run(Kernel(0.001, answer=lambda x: x if next(answers) < 20 else 0.0), Kernel(0.01), Estimate(8.0, why=WHY))


def test_work_that_cannot_be_told_from_null_calls_is_refused():
    with pytest.raises(Refused, match="too_little_energy"):
        run(Kernel(0.0), Kernel(0.01), Deaf(below_s=2.0))


def test_a_baseline_that_cannot_be_told_from_null_calls_is_the_instructor_s_to_mend():
    with pytest.raises(ConfigurationError, match="baseline's work"):
        run(Kernel(0.01), Kernel(0.01), Deaf(below_s=1e9))


def test_a_kernel_that_starts_again_is_refused():
    subject = Kernel(0.01)

    def restart(x):
        subject.start += 1
        return x

    subject._answer = restart
    with pytest.raises(Refused, match="restarted"):
        run(subject, Kernel(0.01), Estimate(8.0, why=WHY))


NOTEBOOK = """
import time
def burn(x):
    began = time.thread_time()
    while time.thread_time() < began + SECONDS:
        pass
    return float(x)
"""


@pytest.mark.slow
def test_over_real_kernels(live, baseline):
    mine, theirs = (f"SECONDS = {seconds}\n{NOTEBOOK}" for seconds in (0.04, 0.02))
    joules, ratio, _ = run(live(mine).burn, baseline(theirs).burn, Estimate(10.0, why=WHY), blocks=5)
    assert joules.value == pytest.approx(0.4, rel=0.1)  # 40 ms at 10 W; requests of two kernels differ by 1 ms
    assert joules.low <= joules.value <= joules.high
    assert ratio.value == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(("options", "words"), [({"device": "tpu"}, "device='tpu'"), ({"blocks": 4}, "blocks=4")])
def test_impossible_settings_are_named(options, words):
    with pytest.raises(ConfigurationError, match=words):
        energy.Settings(GRID, **options)


@pytest.mark.parametrize("watts", [0.0, -8.0, math.nan, math.inf])
def test_impossible_watts_are_named(watts):
    with pytest.raises(ConfigurationError, match="watts_per_core"):
        Estimate(watts, why=WHY)


@pytest.mark.parametrize("grams", [-1.0, math.nan, math.inf])
def test_a_grid_states_a_possible_figure_and_its_source(grams):
    with pytest.raises(ConfigurationError, match="g/kWh"):
        energy.Grid(grams, WHY, 2024, "x")
    with pytest.raises(ConfigurationError, match="source ' '"):
        energy.Grid(50.0, WHY, 2024, " ")


def test_controls_come_out_and_a_broken_one_stops_the_run(monkeypatch):
    energy.controls()
    monkeypatch.setattr(KNOWN, "integrated", lambda times, watts: 439.0)
    with pytest.raises(InfrastructureError, match=r"comes out as 439\.0, not 440\.0"):
        energy.controls()
