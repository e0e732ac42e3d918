"""Who stands where: authors on one board, and notebooks of one front.

Before the end, a board with a step is a Ladder over each author's notebooks. Every other board, and every final one,
has the notebook that counts with the median of its runs.
Not covered: which boards there are (`plan`), what one notebook's markings say (`measured`).
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from harness.leaderboard.history import Author, Marking, Notebook
from harness.leaderboard.ladder import Estimate, ladder, ladder_of_pairs, rounded
from harness.leaderboard.measured import Sight, estimate, find, first, middle
from harness.leaderboard.pareto import dominated
from harness.leaderboard.plan import PlannedBoard, PlannedFront, reference
from harness.leaderboard.records import Aside, Board, Entry, Front, Point, Reason
from harness.records import Better, Cohort, Metric, Visibility
from harness.statistics.ranks import shared_ranks
from harness.statistics.units import LEVEL, Interval

JOULES = re.compile(r"J\b")  # how the unit of an energy begins: "J", "J/call"


@dataclass(frozen=True, slots=True)
class Everyone:
    """All that is known of those who may stand on a board."""

    cohorts: tuple[Cohort, ...]  # of one assignment, oldest first
    authors: tuple[Author, ...]
    names: Mapping[str, str]  # student -> pseudonym
    shown: frozenset[Visibility]  # the checks of which may be told


@dataclass(frozen=True, slots=True)
class _Standing:
    """One author in one metric."""

    estimate: Estimate | None
    reason: Reason | None  # why the last notebook, or the one that counts, has no figure
    notebooks: int
    runs: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """One notebook in two metrics."""

    quality: Estimate
    cost: Estimate
    points: float  # that the quality earned


def board(planned: PlannedBoard, everyone: Everyone) -> Board:
    """Everyone in one metric."""
    measure = planned.measure
    sight = Sight(measure, everyone.shown)
    standings = {author.student: _standing(author, sight) for author in everyone.authors}
    asides = [
        Aside(everyone.names[student], student, standing.reason)
        for student, standing in standings.items()
        if standing.reason is not None
    ]
    baseline, oracle = reference(sight, everyone.cohorts)
    return Board(
        title=planned.title,
        measure=measure,
        split=planned.split,
        baseline=baseline,
        oracle=oracle,
        entries=_ranked(standings, measure.better, everyone.names),
        asides=tuple(sorted(asides, key=lambda aside: aside.name)),
    )


def front(planned: PlannedFront, everyone: Everyone) -> Front:
    """Everyone in two metrics at once, with the notebooks that no other beats in both."""
    measures = (planned.quality, planned.cost)
    sights = (Sight(planned.quality, everyone.shown), Sight(planned.cost, everyone.shown))
    if planned.quality.better is None or planned.cost.better is None:  # nobody has been measured in both
        return Front(planned.title, *measures, points=())
    betters = (planned.quality.better, planned.cost.better)
    pairs = [(author.student, pair) for author in everyone.authors for pair in _pairs(author, sights, betters)]
    verdicts = dominated([(pair.quality.value, pair.cost.value) for _, pair in pairs], betters)
    is_energy = JOULES.match(planned.cost.unit) is not None and planned.quality.step is None
    points = [
        Point(
            name=everyone.names[student],
            student=student,
            quality=pair.quality.value,
            cost=pair.cost.value,
            dominated=verdict,
            # with a step, points would tell the value more exactly than the board does
            cost_per_point=pair.cost.value / pair.points if is_energy and pair.points > 0 else None,
        )
        for (student, pair), verdict in zip(pairs, verdicts, strict=True)
    ]
    return Front(planned.title, *measures, points=tuple(sorted(points, key=lambda one: _place_on_front(one, betters))))


def _standing(author: Author, sight: Sight) -> _Standing:
    notebooks = [notebook for notebook in author.notebooks if first(notebook, sight) is not None]
    if sight.measure.step is not None and sight.measure.better is not None:
        tries = [estimate(metric) for _, metric in _tries(author, sight)]
        told = ladder(tries, step=sight.measure.step, better=sight.measure.better)
        last = first(author.newest, sight)
        reason = last[1] if last is not None and isinstance(last[1], Reason) else None
        return _Standing(told, reason, len(notebooks), runs=1)
    found = middle(author.counting, sight)
    if isinstance(found, Estimate):
        return _Standing(found, None, len(notebooks), _runs(author.counting, sight))
    return _Standing(None, found, len(notebooks), runs=0)


def _tries(author: Author, sight: Sight) -> list[tuple[Marking, Metric]]:
    """For each of the author's notebooks that has a figure: the marking that gave it, oldest first."""
    found = [said for notebook in author.notebooks if (said := first(notebook, sight)) is not None]
    found.sort(key=lambda said: said[0].place)
    return [(marking, what) for marking, what in found if isinstance(what, Metric)]


def _runs(notebook: Notebook, sight: Sight) -> int:
    found = [find(marking.graded, sight) for marking in notebook.markings]
    return sum(what is not None and what is not Reason.INFRASTRUCTURE for what in found)


def _ranked(standings: Mapping[str, _Standing], better: Better | None, names: Mapping[str, str]) -> tuple[Entry, ...]:
    told = [(student, one, one.estimate) for student, one in standings.items() if one.estimate is not None]
    intervals = [Interval(found.low, found.high, LEVEL) for _, _, found in told]
    ranks = shared_ranks(intervals, higher_is_better=better is Better.HIGHER)
    sizes = Counter(ranks)
    entries = [
        Entry(
            name=names[student],
            student=student,
            rank=rank,
            shared=sizes[rank] > 1,
            value=found.value,
            low=found.low,
            high=found.high,
            notebooks=standing.notebooks,
            runs=standing.runs,
        )
        for (student, standing, found), rank in zip(told, ranks, strict=True)
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.rank, _worse(entry.value, better), entry.name)))


def _pairs(author: Author, sights: tuple[Sight, Sight], betters: tuple[Better, Better]) -> list[_Pair]:
    """The author's notebooks on a front: the one that counts or, with steps, all that are worth one."""
    quality, cost = sights
    steps = (quality.measure.step, cost.measure.step)
    if steps != (None, None):
        return _told_pairs(author, sights, betters, (steps[0] or 0.0, steps[1] or 0.0))
    found = (middle(author.counting, quality), middle(author.counting, cost))
    if not isinstance(found[0], Estimate) or not isinstance(found[1], Estimate):
        return []
    return [_Pair(found[0], found[1], _points(author.counting, quality))]


def _told_pairs(
    author: Author, sights: tuple[Sight, Sight], betters: tuple[Better, Better], steps: tuple[float, float]
) -> list[_Pair]:
    pairs = [
        _Pair(estimate(metric), estimate(beside), metric.points)
        for marking, metric in _tries(author, sights[0])
        if isinstance(beside := find(marking.graded, sights[1]), Metric)
    ]
    told = ladder_of_pairs(((pair.quality, pair.cost) for pair in pairs), steps=steps, betters=betters)
    return [_Pair(rounded(pairs[i].quality, steps[0]), rounded(pairs[i].cost, steps[1]), pairs[i].points) for i in told]


def _points(notebook: Notebook, sight: Sight) -> float:
    found = [find(marking.graded, sight) for marking in notebook.markings]
    points = [what.points for what in found if isinstance(what, Metric)]
    return median(points)


def _place_on_front(point: Point, betters: tuple[Better, Better]) -> tuple[bool, float, float, str]:
    return point.dominated, _worse(point.quality, betters[0]), _worse(point.cost, betters[1]), point.name


def _worse(value: float, better: Better | None) -> float:
    """Rises as the value gets worse."""
    return -value if better is Better.HIGHER else value
