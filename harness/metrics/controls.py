"""Control submissions whose value is known beforehand: run before anything is marked with a metric.

A metric whose controls do not come out is broken, and nothing may be scored with it. These are the cheap ones, a second
or two together; the thorough ones are the tests.
Not covered: what each control is (the `controls` of each metric).
"""

from collections.abc import Iterable
from pkgutil import resolve_name

CONTROLS = {  # kind of metric -> functions that raise InfrastructureError
    "perplexity": ("harness.metrics.perplexity.controls:check", "harness.metrics.alarm:controls"),
    "retrieval": ("harness.metrics.retrieval.controls:check",),
    "speed": ("harness.metrics.speed.controls:check",),
    "growth": ("harness.metrics.growth:controls",),
    "energy": ("harness.metrics.energy:controls",),
}


def check(kinds: Iterable[str]) -> None:
    """Run the controls of each of `kinds`.

    Raises:
        InfrastructureError: a control has another value than it must have; the message names it.
        ConfigurationError: a library of the extra `metrics` is missing.
    """
    for kind in sorted(set(kinds)):
        for control in CONTROLS[kind]:
            resolve_name(control)()
