"""audit.json: what an audit has found, for programs; schema_version 1, described in docs/audit.md.

Not covered: writing the file (`cli`), the page (`reports.audit`).
"""

import json
from typing import Any

from harness import __version__
from harness.audit.findings import Fate, Findings, Kind, Marked, Spent, Trial, Verdict
from harness.records import Text

SCHEMA_VERSION = 1


def encode(findings: Findings) -> bytes:
    """`findings` as the bytes of audit.json."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "assignment": findings.assignment,
        "title": _text(findings.title),
        "bareme_version": __version__,
        "seed": findings.seed,
        "jobs": findings.jobs,
        "seconds": findings.wall_s,
        "holds": not findings.shortcomings and not findings.infrastructure,
        "shortcomings": [_text(shortcoming) for shortcoming in findings.shortcomings],
        "infrastructure": list(findings.infrastructure),
        "mutants": _mutants(findings),
        "operators": [_operator(findings, name) for name in findings.by_operator()],
        "checks": _checks(findings),
        "budget": [_spent(spent) for spent in findings.budget],
        **{f"{kind}s": [_trial(trial) for trial in findings.of_kind(kind)] for kind in Kind},
    }
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def _mutants(findings: Findings) -> dict[str, Any]:
    return {
        "made": findings.made,
        "asked": findings.asked.mutants,
        "killed_share": findings.share,
        "killed_share_asked": findings.asked.killed,
        **{fate.value: len(findings.of_fate(fate)) for fate in Fate},
        "stale": list(findings.stale),
        "thorough": findings.thorough,
        "limits": {name: getattr(findings.limits, name) for name in ("cell_s", "call_s", "wall_s")},
        "each": [_verdict(verdict) for verdict in findings.verdicts],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    mutant = verdict.mutant
    return {
        "id": mutant.id,
        "cell": mutant.cell,
        "operator": mutant.operator,
        "function": mutant.function,
        "fate": verdict.fate.value,
        "reason": None if verdict.reason is None else _text(verdict.reason),
        "diff": mutant.diff,
        **_marked(verdict.marked),
    }


def _operator(findings: Findings, name: str) -> dict[str, Any]:
    tally = findings.by_operator()[name]
    return {
        "name": name,
        "title": _text(findings.operators[name]),
        "mutants": tally.mutants,
        "killed": tally.killed,
        "survived": tally.survived,
        "equivalent": tally.equivalent,
    }


def _checks(findings: Findings) -> list[dict[str, Any]]:
    return [
        {
            "id": tally.spec.id,
            "title": _text(tally.spec.title),
            "points": tally.spec.points,
            "visibility": tally.spec.visibility.value,
            "first": tally.first,
            "killed": tally.killed if findings.thorough else None,
            "alone": tally.alone,
        }
        for tally in findings.by_check()
    ]


def _spent(spent: Spent) -> dict[str, Any]:
    return {"limit": spent.limit, "used": spent.used, "allowed": spent.allowed, "share": spent.share}


def _trial(trial: Trial) -> dict[str, Any]:
    return {"name": trial.name, "title": _text(trial.title), "fine": trial.fine, **_marked(trial.marked)}


def _marked(marked: Marked) -> dict[str, Any]:
    return {
        "points": marked.points,
        "max_points": marked.max_points,
        "lost": [{"check": lost.check, "outcome": lost.outcome.value} for lost in marked.lost],
        "seconds": marked.wall_s,
        "failure": marked.failure,
    }


def _text(text: Text) -> dict[str, str]:
    return {"fr": text.fr, "en": text.en}
