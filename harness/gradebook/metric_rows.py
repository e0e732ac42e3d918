"""Metrics to rows and back, with their scales and facts, nothing lost.

Not covered: the other records (`rows`).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from harness.gradebook.columns import exact_float, json_number
from harness.records import Anchor, Better, Fact, Metric, Text

Object = dict[str, Any]  # of JSON


def metric_row(name: str, metric: Metric) -> Mapping[str, Any]:
    """The row of `metrics`, without its submission and position."""
    return {
        "name": name,
        "value": metric.value,
        "unit": metric.unit,
        "low": metric.low,
        "high": metric.high,
        "baseline": metric.baseline,
        "oracle": metric.oracle,
        "points": metric.points,
        "max_points": metric.max_points,
        "check_id": metric.check,
        "title_fr": metric.title.fr,
        "title_en": metric.title.en,
        "better": metric.better.value,
        "anchors": [_anchor_object(anchor) for anchor in metric.anchors],
        "facts": [_fact_object(fact) for fact in metric.facts],
        "quarantine_fr": metric.quarantine.fr if metric.quarantine else None,
        "quarantine_en": metric.quarantine.en if metric.quarantine else None,
        "timed": metric.timed,
        "logarithmic": metric.logarithmic,
    }


def metric_from(row: RowMapping) -> Metric:
    """The metric that `metric_row` took apart."""
    return Metric(
        value=row["value"],
        unit=row["unit"],
        low=row["low"],
        high=row["high"],
        baseline=row["baseline"],
        oracle=row["oracle"],
        points=row["points"],
        max_points=row["max_points"],
        check=row["check_id"],
        title=Text(row["title_fr"], row["title_en"]),
        better=_better(row),
        anchors=tuple(_anchor_from(stored) for stored in row["anchors"]),
        facts=tuple(_fact_from(stored) for stored in row["facts"]),
        quarantine=None if row["quarantine_fr"] is None else Text(row["quarantine_fr"], row["quarantine_en"]),
        timed=row["timed"],
        logarithmic=row["logarithmic"],
    )


def _better(row: RowMapping) -> Better:
    """As recorded; in a row from before it was, from baseline to oracle, and lower where one of them is missing."""
    if row["better"] is not None:
        return Better(row["better"])
    known = row["baseline"] is not None and row["oracle"] is not None
    return Better.HIGHER if known and row["oracle"] > row["baseline"] else Better.LOWER


def _anchor_object(anchor: Anchor) -> Object:
    return {
        "fr": anchor.name.fr,
        "en": anchor.name.en,
        "value": json_number(anchor.value),
        "share": json_number(anchor.share),
    }


def _anchor_from(stored: Object) -> Anchor:
    return Anchor(Text(stored["fr"], stored["en"]), exact_float(stored["value"]), exact_float(stored["share"]))


def _fact_object(fact: Fact) -> Object:
    return {"fr": fact.name.fr, "en": fact.name.en, **_valued(fact.value), "unit": fact.unit}


def _valued(value: float | str | Text) -> Object:
    """Under a key for each kind: a fact's own text may look like a number's bits."""
    if isinstance(value, Text):
        return {"sentence": {"fr": value.fr, "en": value.en}}
    return {"text": value} if isinstance(value, str) else {"number": json_number(value)}


def _fact_from(stored: Object) -> Fact:
    return Fact(Text(stored["fr"], stored["en"]), _value_from(stored), stored["unit"])


def _value_from(stored: Object) -> float | str | Text:
    if "sentence" in stored:
        return Text(stored["sentence"]["fr"], stored["sentence"]["en"])
    return str(stored["text"]) if "text" in stored else exact_float(stored["number"])
