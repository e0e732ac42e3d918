"""What `bareme host` prints. Not covered: where the facts come from (`client`)."""

from harness.host.client import Facts
from harness.terminal import Terminal

MB = 10**6


def show(facts: Facts | None, screen: Terminal) -> None:
    """Whether a process in the background is ready for the next check, and what it holds."""
    if facts is None:
        screen.tell("Aucun processus en arrière-plan.", "No process in the background.")
        return
    since, megabytes = facts.since.astimezone(), round(facts.memory_bytes / MB)
    screen.tell(
        f"En arrière-plan depuis le {since:%d/%m à %H:%M} : processus {facts.pid}, {megabytes} Mo.",
        f"In the background since {since:%Y-%m-%d %H:%M}: process {facts.pid}, {megabytes} MB.",
    )
    if facts.warm:
        names = ", ".join(facts.warm)
        screen.tell(f"Noyaux préparés pour : {names}.", f"Kernels are ready for: {names}.")
    for problem in facts.problems:
        screen.tell(f"Noyaux démarrés à froid, {problem}", f"Kernels start cold, {problem}")


def show_end(*, existed: bool, screen: Terminal) -> None:
    """What became of the order to end it."""
    if existed:
        screen.tell("Le processus en arrière-plan est arrêté.", "The process in the background has ended.")
    else:
        show(None, screen)
