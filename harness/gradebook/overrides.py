"""What an instructor's decisions do to marks: pure functions over records.

The last decision on a (student, check) of an assignment counts, whole: after one without points the computed points
count again. Points on a check replace its points, and the score is added up again with the same penalty; points on the
whole submission (no check) are the score, penalty included.
Not covered: keeping them (`store`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.records import CheckResult, Graded, Override


def counting(history: Iterable[Override]) -> tuple[Override, ...]:
    """The last decision for each student and check, by student, whole submissions first; `history` oldest first."""
    last = {(override.student, override.check): override for override in history}
    return tuple(sorted(last.values(), key=lambda override: (override.student, override.check or "")))


def apply(graded: Graded, overrides: Iterable[Override]) -> Graded:
    """`graded` with the decisions of `overrides` (those that count) on its student."""
    decided = {
        override.check: override.points
        for override in overrides
        if override.student == graded.candidate.student and override.points is not None
    }
    if not decided:
        return graded
    checks = tuple(_with_points(check, decided.get(check.id)) for check in graded.checks)
    score = decided.get(None)
    if score is not None:
        score = min(score, graded.max_score)
    elif graded.score is not None:
        score = _score(graded, checks)
    return replace(graded, checks=checks, score=score)


def validate(override: Override, results: Sequence[Graded]) -> None:
    """Hold `override` against the newest results of its assignment.

    Raises:
        UsageError: no such student or check there, or points outside of what can be given.
    """
    own = [graded for graded in results if graded.candidate.student == override.student]
    if not own:
        students = ", ".join(sorted({graded.candidate.student for graded in results})) or "none"
        raise UsageError(f"no student {override.student!r} was marked", remedy=f"Known students: {students}.")
    most = _max_points(override, own)
    if override.points is not None and not 0 <= override.points <= most:  # NaN is in no range
        raise UsageError(
            f"points = {override.points:g} for {override.student!r} are out of range",
            remedy=f"Give a number from 0 to {most:g}.",
        )


def _max_points(override: Override, own: Sequence[Graded]) -> float:
    if override.check is None:
        return max(graded.max_score for graded in own)
    known = {check.id: check.max_points for graded in own for check in graded.checks}
    if override.check not in known:
        remedy = f"Known checks: {', '.join(known)}." if known else "None was run: decide on the whole submission."
        raise UsageError(f"no check {override.check!r} in the results of {override.student!r}", remedy=remedy)
    return known[override.check]


def _with_points(check: CheckResult, points: float | None) -> CheckResult:
    # a later version of the check may be worth less than what was given then
    return check if points is None else replace(check, points=min(points, check.max_points))


def _score(graded: Graded, checks: Sequence[CheckResult]) -> float:
    # what a metric earned is in the points of the check that measured it
    return max(0.0, math.fsum(check.points for check in checks) - graded.penalty)
