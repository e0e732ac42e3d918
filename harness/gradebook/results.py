"""results.json: a run as others may read it, schema_version 1, the shape of results.schema.json.

Publishable: of hidden checks the outcome and rounded points, of the seed its fingerprint, nothing for the instructor.
Not covered: pages (`reports`), tables (`grades`), writing files (`exports`).
"""

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from harness.records import CheckResult, Cohort, Graded, Metric, Notice, RunInfo, Text
from harness.visible import for_student

SCHEMA_VERSION = 1


def results(cohort: Cohort, *, after_due: bool) -> dict[str, Any]:
    """The content of results.json; `after_due`: whether the due date has passed."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "course": cohort.run.course,
        "assignment": cohort.run.assignment,
        "run": _run(cohort.run),
        "submissions": [
            _submission(for_student(graded, after_due=after_due, overrides=cohort.overrides))
            for graded in cohort.results
        ],
    }
    return {key: _portable(value) for key, value in content.items()}


def encode(content: Mapping[str, Any]) -> bytes:
    """`content` as the bytes of results.json: the same content, the same bytes."""
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def comparable(content: Mapping[str, Any]) -> dict[str, Any]:
    """`content` without what differs between two runs that found the same: times, ids, and what a clock decides.

    Of a check that measured something timed, and of all its metrics, only what was declared is compared, and the score
    of its submission is not.
    """
    same = deepcopy(dict(content))
    del same["run"]["id"], same["run"]["started"]
    for submission in same["submissions"]:
        del submission["seconds"]
        metrics, checks = submission["metrics"], submission["checks"]
        clocked = {metric["check"] for metric in metrics.values() if metric["timed"]}
        for name, metric in metrics.items():
            if metric["check"] in clocked:
                metrics[name] = _keep(metric, "unit", "max_points", "check", "title")
        for place, check in enumerate(checks):
            del check["seconds"]
            if check["id"] in clocked:
                checks[place] = _keep(check, "id", "title", "visibility", "max_points")
        if clocked:
            del submission["score"]
    return same


def _keep(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: item[key] for key in keys}


def _run(run: RunInfo) -> dict[str, Any]:
    return {
        "id": run.id,
        "seed_id": run.seed_id,
        "started": run.started.isoformat(),
        "bareme_version": run.bareme_version,
        "environment": dict(sorted(run.environment.items())),
        "device": run.device,
        "jobs": run.jobs,
    }


def _submission(graded: Graded) -> dict[str, Any]:
    return {
        "student": graded.candidate.student,
        "notebook": graded.candidate.notebook,
        "sha256": graded.candidate.sha256,
        "status": graded.status.value,
        "score": graded.score,
        "max_score": graded.max_score,
        "late": graded.late_s,
        "checks": [_check(check) for check in graded.checks],
        "metrics": {name: _metric(metric) for name, metric in sorted(graded.metrics.items())},
        "seconds": asdict(graded.seconds),
        "policy": [_notice(notice) for notice in graded.policy],
        "output_truncated": graded.output_truncated,
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "id": check.id,
        "title": _text(check.title),
        "visibility": check.visibility.value,
        "points": check.points,
        "max_points": check.max_points,
        "status": check.outcome.value,
        "message": None if check.message is None else _text(check.message),
        "counterexample": check.counterexample,
        "seconds": check.wall_s,
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "value": metric.value,
        "unit": metric.unit,
        "low": metric.low,
        "high": metric.high,
        "baseline": metric.baseline,
        "oracle": metric.oracle,
        "points": metric.points,
        "max_points": metric.max_points,
        "check": metric.check,
        "title": _text(metric.title),
        "better": metric.better.value,
        "anchors": [asdict(anchor) for anchor in metric.anchors],
        "facts": [asdict(fact) for fact in metric.facts],
        "quarantine": None if metric.quarantine is None else _text(metric.quarantine),
        "timed": metric.timed,
        "logarithmic": metric.logarithmic,
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {"code": notice.code, "text": _text(notice.text), "cell": notice.cell, "line": notice.line}


def _text(text: Text) -> dict[str, str]:
    return {"fr": text.fr, "en": text.en}


def _portable(value: Any) -> Any:
    """`value` as every JSON reader takes it: lone surrogates spelled out, no NaN, no infinity."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_portable(key): _portable(item) for key, item in value.items()}
    return [_portable(item) for item in value] if isinstance(value, list) else value
