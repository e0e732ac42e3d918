"""Recall against queries per second: known costs give known speeds, and cheats gain nothing."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Reading, Refused, Timing
from harness.metrics.retrieval import Neighbours, ann

RNG = np.random.default_rng(1)
TASK = Neighbours(vectors=RNG.normal(size=(400, 8)), queries=RNG.normal(size=(150, 8)), k=5)
SETTINGS = [50, 400]
BUILD_S, CALL_WALL_S = 3.0, 2.0  # exact in binary, as are the costs below


class Machine:
    """A kernel whose costs are known: `cost(setting)` seconds of processor time a query, and what else a test adds."""

    def __init__(self, function, cost):
        self.function, self.cost = function, cost
        self.now = Reading(cpu_s=100.0, waited_s=0.0, peak_memory_bytes=1000, start=1)
        self.asked = []

    def build(self, vectors):
        self.now = replace(self.now, cpu_s=self.now.cpu_s + BUILD_S, peak_memory_bytes=5000)
        return vectors

    def search(self, index, queries, k, setting):
        self.asked.append((setting, queries))
        self.now = replace(self.now, cpu_s=self.now.cpu_s + len(queries) * self.cost(setting))
        return self.function(index, queries, k, setting)


class Timed:
    def __init__(self, machine, function):
        self.machine, self.function = machine, function

    def __call__(self, *args):
        return self.function(*args)

    def timed(self, *args):
        return Timing(self.function(*args), CALL_WALL_S)

    def reading(self):
        return self.machine.now


def nearest_of_the_first(index, queries, k, setting):
    """Exact among the first `setting` vectors: the whole collection gives recall 1."""
    distances = np.linalg.norm(index[None, :setting] - queries[:, None], axis=-1)
    return np.argsort(distances, axis=1)[:, :k]


def linear(setting):
    return setting / 1024


def run(function=nearest_of_the_first, cost=linear, *, task=TASK, settings=SETTINGS, seed=1):
    machine = Machine(function, cost)
    build, search = Timed(machine, machine.build), Timed(machine, machine.search)
    return machine, ann(build, search, rng=np.random.default_rng(seed), task=task, settings=settings)


def facts(measurement):
    return {fact.name.en: fact.value for fact in measurement.facts}


def test_known_costs_give_known_speeds():
    _, (headline, coarse, exact) = run()
    assert [headline.name, coarse.name, exact.name] == ["qps@recall0.9", "recall@5.50", "recall@5.400"]
    assert all(found.timed for found in (headline, coarse, exact))
    assert exact.value == 1.0
    assert coarse.value == pytest.approx(1 / 8, abs=0.06)  # an eighth of the neighbours lies among the first 50
    assert coarse.low < coarse.value < coarse.high
    assert headline.value == facts(exact)["Queries per second (processor)"] == 1024 / 400
    assert facts(coarse)["Queries per second (processor)"] == 1024 / 50
    assert facts(exact)["Queries per second (wall time)"] == 15 / CALL_WALL_S
    assert facts(headline)["Build, processor time"] == BUILD_S + 10 * linear(50)  # the warm-up is part of it
    assert facts(headline)["Build, wall time"] == CALL_WALL_S
    assert facts(headline)["Peak memory of the kernel"] == 5000
    assert facts(headline)["Rise of that peak during the build"] == 4000


def test_the_fastest_setting_that_is_good_enough_counts():
    easy = replace(TASK, recall=0.05)
    _, (headline, *_) = run(task=easy)
    assert headline.name == "qps@recall0.05"
    assert headline.value == 1024 / 50


def test_no_setting_that_is_good_enough_earns_no_speed():
    """Random places are fast, and worth nothing."""
    _, (headline, *points) = run(lambda index, queries, k, setting: [[*range(k)]] * len(queries))
    assert max(point.value for point in points) < 0.2
    assert (headline.value, headline.low, headline.high) == (0.0, 0.0, 0.0)


def test_the_interval_counts_that_recall_may_lie_elsewhere():
    """A recall that only seems to reach what is asked: at the low end it does not, and nothing is left."""
    blocks = iter(range(100))

    def nearly(index, queries, k, setting):
        found = nearest_of_the_first(index, queries, k, 400)
        found[:: 5 + next(blocks) % 3, 0] = -1
        return found

    _, (headline, *points) = run(nearly, task=replace(TASK, recall=0.96))
    assert all(point.low < 0.96 <= point.high for point in points)
    assert headline.low == 0.0
    assert headline.high > 0


def test_every_query_is_asked_once_and_settings_take_turns():
    machine, _ = run()
    warm_up, *blocks = machine.asked
    assert all(any((row == vector).all() for vector in TASK.vectors) for row in warm_up[1])
    rows = Counter(row.tobytes() for _, queries in blocks for row in queries)
    assert len(rows) == 150
    assert set(rows.values()) == {1}
    turns = [setting for setting, _ in blocks]
    assert [sorted(turns[start : start + 2]) for start in range(0, 10, 2)] == [[50, 400]] * 5
    other, _ = run(seed=2)
    assert [setting for setting, _ in other.asked] != [setting for setting, _ in machine.asked]


def test_a_cache_of_answers_gains_nothing():
    """Answers kept by query would make the second setting free, were a query asked again."""
    kept, hits = {}, []

    def cached(index, queries, k, setting):
        hits.extend(query.tobytes() in kept for query in queries)
        kept.update((query.tobytes(), None) for query in queries)
        return nearest_of_the_first(index, queries, k, setting)

    run(cached)
    assert not any(hits[10:])


def test_work_between_calls_is_counted():
    """A thread that computes after an answer has left is seen by the next reading, for the block that comes then."""
    machine = Machine(nearest_of_the_first, linear)
    search = Timed(machine, machine.search)
    plain = search.timed

    def then_more(*args):
        machine.now = replace(machine.now, cpu_s=machine.now.cpu_s + 30.0)  # since the last reading
        return plain(*args)

    search.timed = then_more
    (headline, *_) = ann(
        Timed(machine, machine.build), search, rng=np.random.default_rng(1), task=TASK, settings=SETTINGS
    )
    assert headline.value == 15 / (15 * linear(400) + 30.0)


def test_one_block_that_took_no_time_does_not_make_the_rest_fast():
    """Rates are not averaged: a block at next to nothing saves its own time, a fifth, and no more."""
    costs = iter([1e-9] + [1.0] * 100)
    _, (_, *points) = run(cost=lambda setting: next(costs) if setting == 400 else 1.0, settings=[400, 50])
    assert facts(points[0])["Queries per second (processor)"] == pytest.approx(1.0)  # the warm-up took the cheap one
    costs = iter([1.0, 1e-9] + [1.0] * 100)
    _, (_, *points) = run(cost=lambda setting: next(costs) if setting == 400 else 1.0, settings=[400, 50])
    assert facts(points[0])["Queries per second (processor)"] == pytest.approx(5 / 4)


def test_a_fast_and_wrong_block_lowers_recall():
    """All that is timed is scored: honest in most blocks and empty in one costs its share."""
    calls = iter(range(100))

    def sometimes(index, queries, k, setting):
        skip = next(calls) == 3
        found = nearest_of_the_first(index, queries, k, 400)
        return np.full_like(found, -1) if skip else found

    _, (_, *points) = run(sometimes)
    assert sorted(point.value for point in points) == [0.8, 1.0]


def test_a_recall_just_below_may_still_be_enough():
    """Nothing is earned, but the interval says that with other queries it might have been."""
    blocks = iter(range(100))

    def nearly(index, queries, k, setting):
        found = nearest_of_the_first(index, queries, k, 400)
        found[:: 4 + next(blocks) % 3, 0] = -1
        return found

    _, (headline, *points) = run(nearly, task=replace(TASK, recall=0.965))
    assert all(point.value < 0.965 <= point.high for point in points)
    assert headline.low == headline.value == 0.0
    assert headline.high >= 1024 / 50


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_a_kernel_that_ended_has_no_curve(calls):
    """In the warm-up, in the first block, in a later one."""
    machine = Machine(nearest_of_the_first, linear)

    def dies(*args):
        if len(machine.asked) == calls:
            machine.now = replace(machine.now, start=2)
        return machine.search(*args)

    with pytest.raises(Refused, match="kernel_ended"):
        ann(
            Timed(machine, machine.build),
            Timed(machine, dies),
            rng=np.random.default_rng(1),
            task=TASK,
            settings=SETTINGS,
        )


def test_a_clock_that_sees_nothing_is_our_fault():
    with pytest.raises(InfrastructureError, match="saw no processor time"):
        run(cost=lambda setting: 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "no curve"),
        ([5], "no curve"),
        ([5, 5], "no curve"),
        (["low", "high"], "no curve"),
        ([1000000, 1000001], "no curve"),
        ([1, 2, 3, 4], "too few for 4 settings"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        run(settings=settings)


def test_lies_are_refused():
    with pytest.raises(Refused, match="duplicate_id"):
        run(lambda index, queries, k, setting: np.zeros((len(queries), k), dtype=int))
