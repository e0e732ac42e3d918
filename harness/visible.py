"""What a student may see of a result: everything public, of a hidden check its outcome and its points in steps.

Besides words and inputs, times and memory are kept back wherever a hidden check takes part in them: student code
decides how long it runs and how much it takes, and could so tell its author what it was called with. What a hidden
check measured is kept back for the same reason, and points that follow from it are shown in few steps.
Not covered: what reaches the kernel (`sandbox`, `kernel`); which attempt counts (`gradebook.exports`).
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import replace

from harness.records import CheckResult, Graded, Outcome, Override, Text, Visibility

CATEGORIES = {
    Outcome.FAILED: Text("La réponse n'est pas celle qui est attendue.", "The answer is not the one expected."),
    Outcome.ERROR: Text("Votre code a levé une exception.", "Your code raised an exception."),
    Outcome.TIMEOUT: Text("Votre code a dépassé le temps accordé.", "Your code took longer than allowed."),
    Outcome.MEMORY: Text("Votre code a dépassé la mémoire accordée.", "Your code used more memory than allowed."),
    Outcome.CRASHED: Text("Votre code a mis fin au noyau.", "Your code ended the kernel."),
    Outcome.POLICY: Text("Votre code enfreint une règle du devoir.", "Your code breaks a rule of the assignment."),
    Outcome.MISSING: Text("Ce qui devait être défini ne l'est pas.", "What had to be defined is not."),
    Outcome.SKIPPED: Text(
        "Non exécutée : ce dont cette vérification a besoin n'a pas réussi.",
        "Not run: what this check needs did not succeed.",
    ),
    Outcome.INFRASTRUCTURE: Text(
        "Non évalué : une panne de notre côté, pas une erreur de votre part.",
        "Not marked: a fault on our side, no mistake of yours.",
    ),
}
LATER = Text("Le détail sera visible après la date limite.", "The details will be shown after the due date.")
NEVER = Text("Le détail de cette vérification reste caché.", "The details of this check stay hidden.")
STEPS = 10  # of a concealed check's points: 11 sums tell about as much as the 10 kinds of outcome do, 3.5 bits
ROUNDING = 1e-9  # of a step: 0.7 of 3 points stays 7 tenths, whatever float made of it


def for_student(graded: Graded, *, after_due: bool, overrides: Iterable[Override]) -> Graded:
    """`graded` as its author may see it.

    Args:
        graded: with the instructor's decisions applied.
        after_due: whether the due date has passed.
        overrides: those decisions, of this student and others; what they gave is shown as they gave it.
    """
    concealed = {check.id for check in graded.checks if _is_concealed(check, after_due=after_due)}
    told = {check.id for check in graded.checks} - concealed
    visible = replace(
        graded,
        checks=tuple(_category(check) if check.id in concealed else check for check in graded.checks),
        metrics={name: metric for name, metric in graded.metrics.items() if metric.check in told},
        failure=None,
    )
    if not concealed:
        return visible
    checked = sum(check.wall_s for check in visible.checks)
    visible = replace(visible, seconds=replace(graded.seconds, checked=checked), peak_memory_bytes=0)
    mine = (override for override in overrides if override.student == graded.candidate.student)
    return _in_steps(visible, concealed, {override.check for override in mine if override.points is not None})


def _in_steps(graded: Graded, concealed: Collection[str], decided: Collection[str | None]) -> Graded:
    """Points of concealed checks rounded down, and a score and penalty from which they cannot be found out."""
    rough = set(concealed) - set(decided)
    checks = tuple(_rough(check) if check.id in rough else check for check in graded.checks)
    if checks == graded.checks:
        return graded
    shown = math.fsum(check.points for check in checks)
    penalty = min(graded.penalty, shown)  # where it took all there was, it is the exact sum
    score = graded.score if graded.score is None or None in decided else shown - penalty
    return replace(graded, checks=checks, penalty=penalty, score=score)


def _rough(check: CheckResult) -> CheckResult:
    if not check.max_points:
        return check
    step = math.floor(STEPS * check.points / check.max_points + ROUNDING)
    return replace(check, points=check.max_points * step / STEPS)


def _is_concealed(check: CheckResult, *, after_due: bool) -> bool:
    return check.visibility is Visibility.HIDDEN or (check.visibility is Visibility.AFTER_DUE and not after_due)


def _category(check: CheckResult) -> CheckResult:
    """The check with its outcome's sentence in place of its own; 0 s: not told."""
    message = None
    if check.outcome is not Outcome.PASSED:
        category = CATEGORIES[check.outcome]
        rest = NEVER if check.visibility is Visibility.HIDDEN else LATER
        message = Text(f"{category.fr} {rest.fr}", f"{category.en} {rest.en}")
    return replace(check, message=message, counterexample=None, wall_s=0.0)
