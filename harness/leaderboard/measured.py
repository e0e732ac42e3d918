"""What the markings of one notebook say about one metric: a figure, a reason why there is none, or nothing.

Not covered: how notebooks of one author are put together (`standing`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from harness.leaderboard.history import Marking, Notebook
from harness.leaderboard.ladder import Estimate
from harness.leaderboard.records import Measure, Reason
from harness.records import Better, CheckResult, Graded, Metric, Outcome, Status, Visibility

WHOLE = {
    Status.POLICY: Reason.POLICY,
    Status.UNREADABLE: Reason.UNREADABLE,
    Status.INFRASTRUCTURE: Reason.INFRASTRUCTURE,
}
OF_CHECK = {
    Outcome.PASSED: Reason.ABSENT,  # it passed and measured something else
    Outcome.FAILED: Reason.REFUSED,
    Outcome.ERROR: Reason.UNANSWERED,
    Outcome.TIMEOUT: Reason.UNANSWERED,
    Outcome.MEMORY: Reason.UNANSWERED,
    Outcome.CRASHED: Reason.UNANSWERED,
    Outcome.POLICY: Reason.POLICY,
    Outcome.MISSING: Reason.ABSENT,
    Outcome.SKIPPED: Reason.ABSENT,
    Outcome.INFRASTRUCTURE: Reason.INFRASTRUCTURE,
}
DECISIVE = (Reason.POLICY, Reason.QUARANTINED)  # seen once is enough: more runs do not wash it off


@dataclass(frozen=True, slots=True)
class Sight:
    """Which metric is read, and from checks of which visibility."""

    measure: Measure
    shown: frozenset[Visibility]


def check_of(metric: str) -> str:
    """The check that measures `metric`: "bits" heads check bits, "bits.tokens" stands beside it."""
    return metric.partition(".")[0]


def find(graded: Graded, sight: Sight) -> Metric | Reason | None:
    """What one marking says; None when it had no such check, or one that may not be told of."""
    if graded.status in WHOLE:
        return WHOLE[graded.status]
    check = next((check for check in graded.checks if check.id == check_of(sight.measure.metric)), None)
    if check is None or check.visibility not in sight.shown:
        return None
    own = {name: metric for name, metric in graded.metrics.items() if metric.check == check.id}
    if any(metric.quarantine is not None for metric in own.values()):
        return Reason.QUARANTINED
    metric = own.get(sight.measure.metric)
    if metric is None or not _stands(check, own):
        return OF_CHECK[check.outcome]
    if (metric.unit, metric.better) != (sight.measure.unit, sight.measure.better):
        return None  # of an older run, and another quantity by now
    known = all(math.isfinite(number) for number in (metric.value, metric.low, metric.high))
    return metric if known else Reason.REFUSED  # a figure stands with its interval or not at all


def first(notebook: Notebook, sight: Sight) -> tuple[Marking, Metric | Reason] | None:
    """The marking of `notebook` that tells, and what it says: the first that was not our own failure.

    A rerun is no new try; but a broken rule, or a figure that a person must look at, tells whenever it is seen.
    """
    found = [(marking, find(marking.graded, sight)) for marking in notebook.markings]
    said = [(marking, what) for marking, what in found if what is not None]
    decisive = [one for one in said if one[1] in DECISIVE]
    evidence = [one for one in said if one[1] is not Reason.INFRASTRUCTURE]
    return next(iter([*decisive, *evidence, *said]), None)


def middle(notebook: Notebook, sight: Sight) -> Estimate | Reason | None:
    """The median over all markings of `notebook` but our own failures; the interval's ends are medians too.

    A marking without a figure counts as the worst: where half of them or more have none, neither has the notebook.
    """
    found = [what for marking in notebook.markings if (what := find(marking.graded, sight)) is not None]
    reasons = [what for what in found if isinstance(what, Reason)]
    counted = [what for what in found if what is not Reason.INFRASTRUCTURE]
    if not counted:
        return reasons[-1] if reasons else None
    for reason in DECISIVE:
        if reason in reasons:
            return reason
    worst = math.inf if sight.measure.better is Better.LOWER else -math.inf
    estimates = [estimate(what) if isinstance(what, Metric) else Estimate(worst, worst, worst) for what in counted]
    value = median(one.value for one in estimates)
    if not math.isfinite(value):
        return next(reason for reason in reversed(reasons) if reason is not Reason.INFRASTRUCTURE)
    return Estimate(value, median(one.low for one in estimates), median(one.high for one in estimates))


def estimate(metric: Metric) -> Estimate:
    """The figure of `metric`; its interval, wherever it lies, is widened to hold it."""
    return Estimate(metric.value, min(metric.low, metric.value), max(metric.high, metric.value))


def metrics_named(name: str, results: Iterable[Graded]) -> tuple[Metric, ...]:
    """Every metric called `name` in `results`."""
    return tuple(graded.metrics[name] for graded in results if name in graded.metrics)


def _stands(check: CheckResult, metrics: Mapping[str, Metric]) -> bool:
    """Whether what `check` measured counts: it passed, or failed for nothing but a value that earns no points."""
    if check.outcome is Outcome.PASSED:
        return True
    headline = metrics.get(check.id)
    if check.outcome is not Outcome.FAILED or headline is None or not headline.anchors:
        return False
    worst = headline.anchors[0].value
    return headline.value >= worst if headline.better is Better.LOWER else headline.value <= worst
