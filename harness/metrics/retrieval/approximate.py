"""Approximate nearest neighbours: recall against queries per second, over several settings of the student's index.

The clock is the grader's, the headline is processor time of the kernel's whole process tree, and everything that was
timed is scored. The cost of carrying a call to the kernel is included. Not covered: which neighbours are true ones
(`neighbours`); how the time compares to a baseline (`harness.metrics.speed`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Measurement, Reading, Refused, Timed
from harness.metrics.retrieval.neighbours import Neighbours, Places, found_by, recall
from harness.metrics.retrieval.plain import Floats, number
from harness.metrics.retrieval.uncertainty import interval
from harness.records import Better, Fact, Text
from harness.statistics import Interval, percentile_interval

ROUNDS = 5  # timed blocks a setting: the least from which an interval is worth its name
FEWEST = 10  # queries a block: below, the cost of a call is all that is seen
WARM_UP = 10  # dummy queries, asked once before the clock counts for searching

QPS = "1/s"
BUILD_CPU = Text("Construction, temps processeur", "Build, processor time")
BUILD_WALL = Text("Construction, temps réel", "Build, wall time")
PEAK = Text("Mémoire maximale du noyau", "Peak memory of the kernel")
RISE = Text("Hausse de ce maximum pendant la construction", "Rise of that peak during the build")


@dataclass(frozen=True, slots=True)
class _Block:
    """One timed call: some queries with one setting."""

    setting: float
    queries: Floats
    answer: Any
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class _Point:
    """One point of the curve."""

    setting: float
    recall: float
    recall_sure: Interval
    cpu_qps: float
    cpu_sure: Interval
    wall_qps: float


def ann(
    build: Timed, search: Timed, *, rng: np.random.Generator, task: Neighbours, settings: Sequence[float]
) -> tuple[Measurement, ...]:
    """Queries per second of processor time at the asked recall, then recall at each setting with its speeds.

    `build(vectors)` returns an index, which may stay in the kernel; `search(index, queries, k, setting)` returns the
    places of k neighbours for each row of queries. Settings take turns in five rounds, in a random order in each; every
    block has queries that were never asked before. Time runs from reading to reading without a gap, so that work done
    between two calls is counted as well; what a first call does is counted with the build.

    The headline is the speed of the fastest setting that reaches `task.recall`, and 0 where none does: no query per
    second was answered that well. Times are summed over all blocks before they are divided, so that one fast block
    raises nothing beyond its share. Its interval counts both that times vary and that recall may lie elsewhere; of the
    mean of five normal times, such intervals hold 92 %.

    Source: Aumüller, Bernhardsson and Faithfull 2020, ANN-Benchmarks, Information Systems 87.
    Departs from it: processor time, queries in blocks, and ties are relative to the distance.

    Args:
        build: the student's function.
        search: the student's function, of the same kernel.
        rng: secret; deals out the queries and the order of settings.
        task: vectors, queries, k and the recall to reach.
        settings: two or more numbers such as ef or nprobe.

    Raises:
        Refused: answers that are no neighbours, or a kernel that ended in between.
        ConfigurationError: fewer than two settings, or too few queries for them.
        InfrastructureError: the system's clock sees no time in a block.
    """
    size = _block_size(task, settings)
    before = search.reading()
    built = build.timed(task.vectors)
    search(built.value, _dummies(task, rng), task.k, settings[0])
    after = search.reading()
    _same_kernel(before, after)
    blocks = _timed(search, built.value, task, _plan(settings, len(task.queries), size, rng), after)
    points = [_point([block for block in blocks if block.setting == setting], task, rng) for setting in settings]
    facts = (
        Fact(BUILD_CPU, after.cpu_s - before.cpu_s, "s"),
        Fact(BUILD_WALL, built.wall_s, "s"),
        Fact(PEAK, float(after.peak_memory_bytes), "B"),
        Fact(RISE, float(after.peak_memory_bytes - before.peak_memory_bytes), "B"),
    )
    return (_headline(points, task, facts), *(_measurement(point, task) for point in points))


def _block_size(task: Neighbours, settings: Sequence[float]) -> int:
    numbers = [number(setting) for setting in settings]
    names = {f"{one:g}" for one in numbers if one is not None}  # as measurements are called
    if len(settings) < 2 or None in numbers or len(names) < len(settings):
        raise ConfigurationError(
            f"settings make no curve: {list(settings)}",
            remedy="Give two or more numbers that differ in six digits, such as settings=[16, 64, 256].",
        )
    size = len(task.queries) // (ROUNDS * len(settings))
    if size < FEWEST:
        raise ConfigurationError(
            f"{len(task.queries)} queries are too few for {len(settings)} settings",
            remedy=f"Give {ROUNDS * FEWEST} a setting or more; each is asked once.",
        )
    return size


def _dummies(task: Neighbours, rng: np.random.Generator) -> Floats:
    """Queries that tell nothing: vectors of the collection itself."""
    return task.vectors[rng.integers(len(task.vectors), size=WARM_UP)]


def _plan(settings: Sequence[float], n_queries: int, size: int, rng: np.random.Generator) -> list[tuple[float, Places]]:
    """(setting, places of its queries) in the order in which they are asked; no query twice."""
    turns = [settings[turn] for _ in range(ROUNDS) for turn in rng.permutation(len(settings)).tolist()]
    dealt = rng.permutation(n_queries)[: size * len(turns)].reshape(len(turns), size)
    return list(zip(turns, dealt, strict=True))


def _timed(
    search: Timed, index: Any, task: Neighbours, plan: Sequence[tuple[float, Places]], before: Reading
) -> list[_Block]:
    blocks = []
    for setting, places in plan:
        queries = task.queries[places]
        timing = search.timed(index, queries, task.k, setting)
        after = search.reading()
        _same_kernel(before, after)
        cpu_s = after.cpu_s - before.cpu_s
        if cpu_s <= 0:
            raise InfrastructureError(
                f"the system's clock saw no processor time in a search of {len(queries)} queries",
                remedy="Give more queries to the assignment's neighbours, or mark on another machine.",
            )
        blocks.append(_Block(setting, queries, timing.value, cpu_s, timing.wall_s))
        before = after
    return blocks


def _same_kernel(before: Reading, after: Reading) -> None:
    if before.start != after.start:
        raise Refused(
            "kernel_ended",
            Text(
                "Le noyau s'est arrêté pendant la mesure ; un index et ses recherches doivent tenir dans un même noyau."
                " Vérifiez la mémoire que prend l'index.",
                "The kernel ended during the measurement; an index and its searches must live in one kernel. Check how"
                " much memory the index takes.",
            ),
        )


def _point(blocks: Sequence[_Block], task: Neighbours, rng: np.random.Generator) -> _Point:
    size = len(blocks[0].queries)
    shares = np.concatenate([recall(b.queries, found_by(b.answer, size, task), task) for b in blocks])
    cpu_s = np.array([block.cpu_s for block in blocks])
    sure = percentile_interval(cpu_s, rng=rng)
    return _Point(
        setting=blocks[0].setting,
        recall=float(np.mean(shares)),
        recall_sure=interval(shares, rng=rng),
        cpu_qps=size / float(np.mean(cpu_s)),
        cpu_sure=Interval(size / sure.high, size / sure.low, sure.level),
        wall_qps=size / float(np.mean([block.wall_s for block in blocks])),
    )


def _headline(points: Sequence[_Point], task: Neighbours, facts: tuple[Fact, ...]) -> Measurement:
    reached = [point.cpu_qps for point in points if point.recall >= task.recall]
    surely = [point.cpu_sure.low for point in points if point.recall_sure.low >= task.recall]
    possibly = [point.cpu_sure.high for point in points if point.recall_sure.high >= task.recall]
    share = f"{task.recall:g}"
    return Measurement(
        name=f"qps@recall{share}",
        title=Text(
            f"Requêtes par seconde (processeur) avec un rappel d'au moins {share}",
            f"Queries per second (processor) with a recall of at least {share}",
        ),
        value=max(reached, default=0.0),
        unit=QPS,
        low=max(surely, default=0.0),
        high=max(possibly, default=0.0),
        better=Better.HIGHER,
        facts=facts,
        timed=True,
    )


def _measurement(point: _Point, task: Neighbours) -> Measurement:
    setting = f"{point.setting:g}"
    return Measurement(
        name=f"recall@{task.k}.{setting}",
        title=Text(f"Rappel@{task.k}, réglage {setting}", f"Recall@{task.k}, setting {setting}"),
        value=point.recall,
        unit="",
        low=point.recall_sure.low,
        high=point.recall_sure.high,
        better=Better.HIGHER,
        oracle=1.0,
        facts=(
            Fact(Text("Requêtes par seconde (processeur)", "Queries per second (processor)"), point.cpu_qps, QPS),
            Fact(Text("Requêtes par seconde (temps réel)", "Queries per second (wall time)"), point.wall_qps, QPS),
        ),
        timed=True,
    )
