"""Which boards and fronts there are to show: those that assignment.toml declares, or one for each headline metric.

Held against what was measured: a metric that nobody could have is a mistake of the assignment, named with file and key.
Not covered: who stands where (`standing`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from harness.course import Assignment, Board
from harness.errors import ConfigurationError
from harness.leaderboard.measured import Sight, check_of, find, metrics_named
from harness.leaderboard.records import Measure, Split
from harness.records import Cohort, Graded, Metric, Outcome, Text, Visibility

PUBLIC = frozenset({Visibility.PUBLIC})
PUBLIC_WHEN_DUE = frozenset({Visibility.PUBLIC, Visibility.AFTER_DUE})
ALL = frozenset(Visibility)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be told, and when that is."""

    final: bool = False  # the standing that decides, from private splits
    after_due: bool = False  # whether the due date has passed

    @property
    def shown(self) -> frozenset[Visibility]:
        """The checks of which the page may tell."""
        if self.final:
            return ALL
        return PUBLIC_WHEN_DUE if self.after_due else PUBLIC


@dataclass(frozen=True, slots=True)
class PlannedBoard:
    """A board before anyone stands on it."""

    title: Text
    measure: Measure
    split: Split


@dataclass(frozen=True, slots=True)
class PlannedFront:
    """A front before anyone stands on it."""

    title: Text
    quality: Measure
    cost: Measure


@dataclass(frozen=True, slots=True)
class Plan:
    """What is told of one assignment, and how much is not told yet."""

    boards: tuple[PlannedBoard, ...]
    fronts: tuple[PlannedFront, ...]
    withheld: int


def plan(assignment: Assignment, cohorts: Sequence[Cohort], terms: Terms) -> Plan:
    """The boards and fronts of `assignment`, of whose runs `cohorts` are all, oldest first.

    Raises:
        ConfigurationError: [[boards]] or [[fronts]] name a metric that no run could have measured, or a public one that
            a hidden check measures, or the other way round.
    """
    results = tuple(graded for cohort in reversed(cohorts) for graded in cohort.results)  # newest run first
    _verify(assignment, results)
    boards = _declared(assignment, results, terms) if assignment.file.boards else _headlines(results)
    fronts = _fronts(assignment, results, terms)
    told = tuple(board for board in boards if _told(board.measure, results, terms))
    told_fronts = tuple(
        front for front in fronts if all(_told(one, results, terms) for one in (front.quality, front.cost))
    )
    return Plan(told, told_fronts, len(boards) + len(fronts) - len(told) - len(told_fronts))


def reference(sight: Sight, cohorts: Sequence[Cohort]) -> tuple[float | None, float | None]:
    """Baseline and oracle of the newest run that has them: the medians over its notebooks."""
    for cohort in reversed(cohorts):
        found = [find(graded, sight) for graded in cohort.results]
        metrics = [what for what in found if isinstance(what, Metric)]
        if metrics:
            return _middle(metric.baseline for metric in metrics), _middle(metric.oracle for metric in metrics)
    return None, None


def _declared(assignment: Assignment, results: Sequence[Graded], terms: Terms) -> list[PlannedBoard]:
    return [_planned(board, results, terms) for board in assignment.file.boards]


def _planned(board: Board, results: Sequence[Graded], terms: Terms) -> PlannedBoard:
    if terms.final:
        split = Split.NONE if board.private is None else Split.PRIVATE
        return PlannedBoard(board.title, _measure(board.private or board.public, results, step=None), split)
    split = Split.NONE if board.private is None else Split.PUBLIC
    return PlannedBoard(board.title, _measure(board.public, results, step=board.step), split)


def _headlines(results: Sequence[Graded]) -> list[PlannedBoard]:
    names = dict.fromkeys(name for graded in results for name, metric in graded.metrics.items() if name == metric.check)
    measures = [_measure(name, results, step=None) for name in names]
    return [PlannedBoard(measure.title, measure, Split.NONE) for measure in measures]


def _fronts(assignment: Assignment, results: Sequence[Graded], terms: Terms) -> list[PlannedFront]:
    """A front follows the boards of its metrics: their step, and at the end their private split."""
    boards = {board.public: board for board in assignment.file.boards}

    def measure(name: str) -> Measure:
        board = boards.get(name)
        if board is None or not terms.final:
            return _measure(name, results, step=board.step if board else None)
        return _measure(board.private or name, results, step=None)

    return [PlannedFront(front.title, measure(front.quality), measure(front.cost)) for front in assignment.file.fronts]


def _measure(name: str, results: Sequence[Graded], *, step: float | None) -> Measure:
    found = metrics_named(name, results)
    if not found:
        return Measure(name, Text(name, name), unit="", better=None, step=step)
    return Measure(name, found[0].title, found[0].unit, found[0].better, step, found[0].logarithmic)


def _told(measure: Measure, results: Sequence[Graded], terms: Terms) -> bool:
    visibility = _visibility(measure.metric, results)
    return visibility is None or visibility in terms.shown


def _visibility(metric: str, results: Iterable[Graded]) -> Visibility | None:
    """Of the check that measures `metric`, in the first of `results` that has it."""
    wanted = check_of(metric)
    return next((check.visibility for graded in results for check in graded.checks if check.id == wanted), None)


def _verify(assignment: Assignment, results: Sequence[Graded]) -> None:
    named: list[tuple[str, str]] = []
    for i, board in enumerate(assignment.file.boards):
        named.append((f"boards.{i}.public", board.public))
        if _visibility(board.public, results) is Visibility.HIDDEN:
            raise _wrong(assignment, f"boards.{i}.public", f"{board.public!r} is measured by a hidden check")
        if board.private is not None:
            named.append((f"boards.{i}.private", board.private))
            if _visibility(board.private, results) is Visibility.PUBLIC:
                raise _wrong(assignment, f"boards.{i}.private", f"{board.private!r} is measured by a public check")
    for i, front in enumerate(assignment.file.fronts):
        named += [(f"fronts.{i}.quality", front.quality), (f"fronts.{i}.cost", front.cost)]
    for key, metric in named:
        _verify_measured(assignment, key, metric, results)


def _verify_measured(assignment: Assignment, key: str, metric: str, results: Sequence[Graded]) -> None:
    """That nobody has the metric is right only as long as nobody passed the check that measures it."""
    if not any(graded.checks for graded in results) or metrics_named(metric, results):
        return
    outcomes = {check.outcome for graded in results for check in graded.checks if check.id == check_of(metric)}
    if not outcomes or Outcome.PASSED in outcomes:
        known = sorted({name for graded in results for name in graded.metrics})
        raise _wrong(assignment, key, f"no run measured {metric!r} (measured: {', '.join(known) or 'nothing'})")


def _wrong(assignment: Assignment, key: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{assignment.path}: key {key!r}: {what}", remedy="Correct that key, or checks.py.")


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
