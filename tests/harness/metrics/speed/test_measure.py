"""The protocol of speed on simulated kernels of known cost; real ones are in test_liars."""

import math

import numpy as np
import pytest

from harness.errors import ConfigurationError
from harness.metrics.contract import Refused
from harness.metrics.speed import Settings, measure
from harness.records import Fact, Text


def draw(rng):
    return (float(rng.normal()),)


class Wrong(Exception):
    pass


def same(answer, expected):
    if answer != expected:
        raise Wrong(answer)


def run(kernels, *, settings=None, like=same, seed=1, make=draw):
    rng = np.random.default_rng(seed)
    return measure(*kernels, make, rng=rng, same=like, settings=settings or Settings())


def facts(measurement):
    return {fact.name.en: fact.value for fact in measurement.facts}


@pytest.mark.parametrize("ratio", [0.2, 0.5, 1.0, 2.0, 5.0])
def test_without_noise_the_ratio_is_that_of_the_work(simulate, ratio):
    cpu, wall = run(simulate(0.01 / ratio, 0.01))
    assert math.isclose(cpu.value, ratio, rel_tol=1e-9)
    assert cpu.low < ratio < cpu.high
    assert (cpu.name, cpu.unit, cpu.baseline, cpu.quarantine) == ("speed", "×", 1.0, None)
    assert math.isclose(wall.value, ratio, rel_tol=1e-9)
    assert wall.name == "speed_wall"


def test_on_a_gpu_wall_time_comes_first(simulate):
    device = Fact(Text("carte", "device"), "H100")
    wall, cpu = run(simulate(0.005, 0.01), settings=Settings(clock="wall", facts=(device,)))
    assert (wall.name, cpu.name) == ("speed", "speed_cpu")
    assert device in wall.facts


def test_transport_is_subtracted_from_both_and_shown(simulate):
    kernels = simulate(0.002, 0.004)
    for kernel in kernels:
        kernel.transport_s = 0.0015
    found = run(kernels)[0]
    assert math.isclose(found.value, 2.0, rel_tol=1e-9)
    assert found.timed
    assert facts(found)["null call, already subtracted"] == 1.5
    assert facts(found)["your function, a call"] == 2.0


def test_handing_the_answer_over_is_no_part_of_a_null_call(simulate):
    subject, baseline = simulate(0.01, 0.01)
    heavy = baseline.null

    def null(args, answer):
        if answer is not None:
            baseline._spend(0.002)  # a large answer on its way in
        return heavy(args, answer)

    def takes(arguments):
        return 0.002 if len(arguments) == 1 and arguments[0] in answers else 0.0

    answers = set()

    def larger(args, answer):
        answers.add(answer)
        baseline._spend(takes(args))
        return null(args, answer)

    baseline.null = larger
    assert math.isclose(run((subject, baseline))[0].value, 1.0, rel_tol=1e-9)


def test_work_between_calls_is_charged_and_stated(simulate):
    found = run(simulate(0.01, 0.01, idle_share=1.0))[0]
    assert found.value < 0.6
    assert facts(found)["work between calls, counted"] > 40


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("cost_s", [0.002, 0.004, 0.006, 0.013])
def test_children_counted_in_ticks_are_right_on_average(simulate, cost_s, share):
    """A call whose child works for 4 ms shows none of it, or 10 ms: by the middle call most work would be free."""
    found = run(simulate(cost_s, cost_s, noise=0.05, child_share=share))[0]
    assert found.value == pytest.approx(1.0, abs=0.15)
    assert found.low < 1.0 < found.high
    assert found.quarantine is None


def test_more_processors_than_allowed_are_stated(simulate):
    subject, baseline = simulate(0.01, 0.01)
    spend = subject._spend
    subject._spend = lambda cpu_s: spend(cpu_s) / 3
    assert facts(run((subject, baseline))[0])["processors used at once"] == pytest.approx(3, rel=0.01)
    assert "processors used at once" not in facts(run((subject, baseline), settings=Settings(threads=4))[0])


def test_every_answer_that_is_timed_is_checked(simulate):
    subject, baseline = simulate(0.01, 0.01)
    held = []
    found = run((subject, baseline), like=lambda answer, expected: held.append(answer))[0]
    warm_up = 3
    assert len(held) == len(subject.seen) - warm_up
    assert facts(found)["calls timed and checked"] == len(held) - warm_up


@pytest.mark.parametrize("bad_call", [4, 20, -1])
def test_one_wrong_answer_anywhere_is_one_too_many(simulate, bad_call):
    subject, baseline = simulate(0.01, 0.01)
    run((subject, baseline))
    total = len(subject.seen)
    liar, baseline = simulate(0.01, 0.01)
    liar.answer = lambda x: x + 1 if len(liar.seen) != bad_call % total + (bad_call < 0) else 0.0
    with pytest.raises(Wrong):
        run((liar, baseline))


def test_no_input_comes_twice_and_both_kernels_get_the_same(simulate):
    subject, baseline = simulate(0.01, 0.01)
    run((subject, baseline))
    assert len(set(subject.seen)) == len(subject.seen)
    assert set(baseline.seen) == set(subject.seen)


def test_inputs_that_repeat_are_the_instructor_s_fault(simulate):
    with pytest.raises(ConfigurationError, match="used before"):
        run(simulate(0.01, 0.01), make=lambda rng: (int(rng.integers(4)),))
    with pytest.raises(ConfigurationError, match="not a tuple"):
        run(simulate(0.01, 0.01), make=lambda rng: 3.0)


def test_warm_up_may_have_inputs_of_its_own(simulate):
    subject, baseline = simulate(0.01, 0.01)
    run((subject, baseline), settings=Settings(warm_up=lambda rng: (1000.0 + float(rng.normal()),)))
    assert [args[0] > 500 for args in subject.seen].count(True) == 3
    assert all(args[0] > 500 for args in subject.seen[:3])


def test_nobody_goes_first_by_a_rule_that_can_be_guessed(simulate):
    subject, baseline = simulate(0.01, 0.01)
    order = []
    for kernel, name in ((subject, "A"), (baseline, "B")):
        timed = kernel.timed
        kernel.timed = lambda *args, timed=timed, name=name: order.append(name) or timed(*args)
    run((subject, baseline))
    calls = "".join(order)[12:]  # after warm-up and trial
    rounds = {calls[start : start + 4] for start in range(0, len(calls), 4)}
    assert rounds == {"ABBA", "BAAB"}


def test_fast_functions_are_called_more_often(simulate):
    counts = [facts(run(simulate(cost, cost))[0])["calls timed and checked"] for cost in (0.0021, 0.0101, 0.2)]
    assert counts == [432, 90, 18]


def test_a_slow_submission_takes_no_minutes(simulate):
    subject, baseline = simulate(1.0, 0.01)
    run((subject, baseline))
    assert len(subject.seen) == 3 + 3 + 9 * 2


def test_what_cannot_be_told_from_null_calls_has_no_ratio(simulate):
    with pytest.raises(Refused) as refused:
        run(simulate(0.0001, 0.01))
    assert refused.value.reason == "too_fast_to_measure"
    with pytest.raises(ConfigurationError, match="Draw larger inputs"):
        run(simulate(0.0001, 0.0001))


def test_work_that_stops_in_later_blocks_has_no_ratio_either(simulate):
    subject, baseline = simulate(0.01, 0.01)
    timed = subject.timed

    def tiring(*args):
        subject.cost_s = 0.01 if len(subject.seen) < 70 else 0.0  # six blocks of ten calls are whole
        return timed(*args)

    subject.timed = tiring
    with pytest.raises(Refused) as refused:
        run((subject, baseline))
    assert refused.value.reason == "too_fast_to_measure"


def test_a_restart_is_refused(simulate):
    with pytest.raises(Refused) as refused:
        run(simulate(0.01, 0.01, dies_after=30))
    assert refused.value.reason == "restarted"


def test_a_busy_machine_is_tried_again_and_then_reported(simulate):
    calm = facts(run(simulate(0.01, 0.01))[0])
    assert calm["blocks repeated"] == 0
    assert "warning" not in calm
    busy = facts(run(simulate(0.01, 0.01, waiting=1.0))[0])
    assert busy["blocks repeated"] == busy["blocks kept"] == 9
    assert busy["waiting for a processor"] == 100
    assert "9 of 9 blocks" in busy["warning"].en


def test_faster_than_the_floor_or_ten_times_the_baseline_is_for_a_person_to_look_at(simulate):
    below = run(simulate(0.01, 0.02), settings=Settings(floor_s=0.015))[0]
    assert "operations and bytes" in below.quarantine.en
    assert run(simulate(0.01, 0.02), settings=Settings(floor_s=0.009))[0].quarantine is None
    assert "12.0 times" in run(simulate(0.01, 0.12))[0].quarantine.en


def test_time_that_nothing_explains_is_for_a_person_to_look_at(simulate):
    found = run(simulate(0.004, 0.02, sleep_s=0.016))[0]
    assert "without visible work" in found.quarantine.en
    assert run(simulate(0.02, 0.02, sleep_s=0.001))[0].quarantine is None
    on_a_device = run(simulate(0.004, 0.02, sleep_s=0.016), settings=Settings(clock="wall"))[0]
    assert on_a_device.quarantine is None


def test_intervals_cover_and_narrow_ratios_come_out_of_noise(simulate):
    found = [run(simulate(0.005, 0.01, seed=seed, noise=0.2), seed=seed)[0] for seed in range(40)]
    assert sum(one.low <= 2.0 <= one.high for one in found) >= 38
    assert np.median([one.value for one in found]) == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize(
    "wrong",
    [{"clock": "gpu"}, {"threads": 0}, {"blocks": 4}, {"block_s": 0.0}, {"floor_s": -1.0}, {"floor_s": math.nan}],
)
def test_impossible_settings_are_named(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Settings(**wrong)
