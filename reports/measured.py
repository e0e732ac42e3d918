"""What pages say of metrics, as dataclasses: each check's measurements, and each metric over the cohort.

Not covered: who may see them (`harness.visible`, applied before), geometry (`figures`), words and numbers (`wording`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles

from harness.records import BASELINE, ORACLE, Anchor, Better, Fact, Graded, Metric, Text
from reports.figures import ScaleFigure, Strip, scale_figure, strip
from reports.text import clean_line

FACTS_LIMIT = 40  # more are a table, and belong into results.json
FACT_LIMIT = 200  # characters of a fact that is words


@dataclass(frozen=True, slots=True)
class MetricView:
    """One metric of a submission."""

    name: str
    metric: Metric
    references: tuple[Anchor, ...]  # baseline and oracle, where the scale has not got them
    facts: tuple[Fact, ...]
    facts_left_out: int
    figure: ScaleFigure | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one check measured."""

    headline: MetricView
    others: tuple[MetricView, ...]


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One check's headline over the whole cohort. What waits for a person's look is counted apart, and in no figure."""

    name: str
    metric: Metric  # the first one: title, unit, direction and scale are the same for all
    n: int  # submissions with a finite value
    quartiles: tuple[float, float, float] | None  # None where there is no value
    best: float | None
    strip: Strip | None
    unmeasured: int  # submissions whose value is not finite
    quarantined: tuple[tuple[int, Text], ...]  # place of the submission, reason


def measured(metrics: Mapping[str, Metric], check: str) -> Measured | None:
    """What `check` measured: the metric of its own name first, its facts said once; None when it measured nothing."""
    found = [(name, metric) for name, metric in metrics.items() if metric.check == check]
    found.sort(key=lambda named: named[0] != check)
    if not found:
        return None
    (name, first), *others = found
    told = [
        (name, replace(one, facts=tuple(fact for fact in one.facts if fact not in first.facts))) for name, one in others
    ]
    return Measured(metric_view(name, first), tuple(metric_view(name, one) for name, one in told))


def metric_view(name: str, metric: Metric) -> MetricView:
    """One metric, its facts bounded."""
    references = _references(metric)
    return MetricView(
        name=name,
        metric=metric,
        references=references,
        facts=tuple(_bounded(fact) for fact in metric.facts[:FACTS_LIMIT]),
        facts_left_out=max(0, len(metric.facts) - FACTS_LIMIT),
        figure=scale_figure(metric, references),
    )


def metric_rows(results: Sequence[Graded]) -> tuple[MetricRow, ...]:
    """One row for each headline metric, in the order in which they first occur."""
    names = dict.fromkeys(name for result in results for name, metric in result.metrics.items() if name == metric.check)
    return tuple(_row(name, results) for name in names)


def _row(name: str, results: Sequence[Graded]) -> MetricRow:
    found = [(place, result.metrics[name]) for place, result in enumerate(results) if name in result.metrics]
    counted = [metric.value for _, metric in found if metric.quarantine is None]
    values = [value for value in counted if math.isfinite(value)]
    first = found[0][1]
    quartiles = _quartiles(values)
    return MetricRow(
        name=name,
        metric=first,
        n=len(values),
        quartiles=quartiles,
        best=(max if first.better is Better.HIGHER else min)(values, default=None),
        strip=strip(values, quartiles, anchors=first.anchors, logarithmic=first.logarithmic) if quartiles else None,
        unmeasured=len(counted) - len(values),
        quarantined=tuple((place, metric.quarantine) for place, metric in found if metric.quarantine is not None),
    )


def _quartiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    if not values:
        return None
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def _references(metric: Metric) -> tuple[Anchor, ...]:
    named = {anchor.value for anchor in metric.anchors}
    own: Iterable[tuple[Text, float | None]] = ((BASELINE, metric.baseline), (ORACLE, metric.oracle))
    return tuple(
        Anchor(name, value, share=0.0)
        for name, value in own
        if value is not None and math.isfinite(value) and value not in named
    )


def _bounded(fact: Fact) -> Fact:
    if isinstance(fact.value, Text):
        return replace(fact, value=Text(_line(fact.value.fr), _line(fact.value.en)))
    return replace(fact, value=_line(fact.value)) if isinstance(fact.value, str) else fact


def _line(words: str) -> str:
    line = clean_line(words)
    return line if len(line) <= FACT_LIMIT else f"{line[:FACT_LIMIT]}…"
