"""The page of an audit: what holds and what does not, the survivors as diffs, tables by operator and by check.

Covers what the page says. Not covered: what was found (`harness.audit`), wording (`wording`), HTML
(`templates/audit.html`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from harness import __version__
from harness.audit.findings import CheckTally, Fate, Findings, Kind, Tally, Trial, Verdict
from harness.records import Language, Outcome, Text
from reports.render import render_page, write_page

HEADER_LINES = 2  # of a unified diff: they name the cell, which stands above it
LineKind = Literal["added", "removed", "place", "same"]
KINDS: dict[str, LineKind] = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diff."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class MutantView:
    """A mutant that is shown."""

    verdict: Verdict
    operator: Text
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of all trials of one kind."""

    kind: Kind
    trials: tuple[Trial, ...]  # those that are shown one by one

    fine: int
    number: int
    slowest_s: float


@dataclass(frozen=True, slots=True)
class AuditPage:
    """audit.html, before any words."""

    findings: Findings
    version: str
    survivors: tuple[MutantView, ...]
    equivalents: tuple[MutantView, ...]
    by_clock: int  # mutants whose first loss is of time
    operators: tuple[tuple[str, Text, Tally], ...]
    checks: tuple[CheckTally, ...]
    groups: tuple[Group, ...]


def audit_page(findings: Findings) -> AuditPage:
    """What the page of `findings` says."""
    killed = findings.of_fate(Fate.KILLED)
    return AuditPage(
        findings=findings,
        version=__version__,
        survivors=_views(findings, Fate.SURVIVED),
        equivalents=_views(findings, Fate.EQUIVALENT),
        by_clock=sum(verdict.marked.lost[0].outcome is Outcome.TIMEOUT for verdict in killed if verdict.marked.lost),
        operators=tuple((name, findings.operators[name], tally) for name, tally in findings.by_operator().items()),
        checks=findings.by_check(),
        groups=tuple(_group(kind, findings.of_kind(kind)) for kind in Kind),
    )


def write_audit(findings: Findings, path: Path, *, language: Language, now: datetime) -> Path:
    """Write the page of `findings` at `path`.

    Raises:
        InfrastructureError: it cannot be written.
    """
    return write_page(path, render_page("audit.html", language, now=now, page=audit_page(findings)))


def _views(findings: Findings, fate: Fate) -> tuple[MutantView, ...]:
    return tuple(
        MutantView(verdict, findings.operators[verdict.mutant.operator], _lines(verdict.mutant.diff))
        for verdict in findings.of_fate(fate)
    )


def _lines(diff: str) -> tuple[Line, ...]:
    return tuple(Line(KINDS.get(line[:1], "same"), line) for line in diff.splitlines()[HEADER_LINES:])


def _group(kind: Kind, trials: Sequence[Trial]) -> Group:
    """Every variant and null by itself; of the seeds, only those that went wrong."""
    return Group(
        kind=kind,
        trials=tuple(trial for trial in trials if kind is not Kind.SEED or not trial.fine),
        fine=sum(trial.fine for trial in trials),
        number=len(trials),
        slowest_s=max((trial.marked.wall_s for trial in trials), default=0.0),
    )
