"""What a student may see of a result: everything public, of a hidden check its outcome alone.

Besides words and inputs, times and memory are kept back wherever a hidden check takes part in them: student code
decides how long it runs and how much it takes, and could so tell its author what it was called with.
Not covered: what reaches the kernel (`sandbox`, `kernel`); which attempt counts (`gradebook.exports`).
"""

from dataclasses import replace

from harness.records import CheckResult, Graded, Outcome, Text, Visibility

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


def for_student(graded: Graded, *, after_due: bool) -> Graded:
    """`graded` as its author may see it; `after_due`: whether the due date has passed."""
    concealed = {check.id for check in graded.checks if _is_concealed(check, after_due=after_due)}
    checks = tuple(_category(check) if check.id in concealed else check for check in graded.checks)
    visible = replace(graded, checks=checks, failure=None)
    if not concealed:
        return visible
    checked = sum(check.wall_s for check in checks)
    return replace(visible, seconds=replace(graded.seconds, checked=checked), peak_memory_bytes=0)


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
