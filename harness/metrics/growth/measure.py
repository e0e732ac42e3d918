"""Growth of a function's time or memory with the size of its input, held against a promise (docs/metrics/growth.md).

Covers what is asked, what is reported and what a promise kept means. Not covered: calls (`costs`), fits (`models`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Baseline, Measurement, Timed
from harness.metrics.growth import costs
from harness.metrics.growth.costs import LEAST_SPAN, Collected, Draw, Pair, Same
from harness.metrics.growth.models import CLASSES, Array, Costs, Law, Slope, fit, slope
from harness.records import Better, Fact, Text

Quantity = Literal["time", "memory"]

# A promise is broken when the best class above it is a thousand times as likely as the best within it. Simulated in
# tests/harness/metrics/growth/test_models.py: less than 1 wrong verdict in 100 either way.
BROKEN = 1e-3
SEEN = 3.0  # times its spread that the cost at the largest size must be, to be more than noise
HIDING_BYTES = 64 * 1024 * 1024  # of memory held beyond the baseline's kernel, in which growth could hide
PROMISE = Text(
    "vraisemblance de la promesse face à la meilleure classe", "likelihood of the promise against the best class"
)
TITLES = {
    "time": Text("Croissance du temps", "Growth of time"),
    "memory": Text("Croissance de la mémoire", "Growth of memory"),
}
CLASS_WORDS = {  # name in `CLASSES` -> what students call it
    "1": Text("constante", "constant"),
    "log n": Text("logarithmique (log n)", "logarithmic (log n)"),
    "n": Text("linéaire (n)", "linear (n)"),
    "n log n": Text("quasi linéaire (n log n)", "linearithmic (n log n)"),
    "n^2": Text("quadratique (n²)", "quadratic (n²)"),
    "n^3": Text("cubique (n³)", "cubic (n³)"),
}
POOL: Final = Text(
    "Votre notebook garde en mémoire {held} Mio de plus que la solution avant tout appel : la croissance mesurée peut "
    "s'y cacher. Libérez ce qui ne sert pas ; une personne regardera.",
    "Your notebook holds {held} MiB more than the solution before any call: growth could hide in them. "
    "Release what is not needed; a person will look.",
)


@dataclass(frozen=True, slots=True)
class Promise:
    """What the statement promises of a function, and over which sizes it is held to it."""

    order: str  # of `CLASSES`: "n log n"
    sizes: tuple[int, int]  # smallest and largest that may be called; time uses the part where the work shows
    quantity: Quantity = "time"

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            ConfigurationError: an unknown order or quantity, or sizes too close together.
        """
        if self.order not in CLASSES:
            raise ConfigurationError(
                f"growth: order={self.order!r} is unknown", remedy=f"Promise one of {', '.join(CLASSES)}."
            )
        if self.quantity not in TITLES:
            raise ConfigurationError(
                f"growth: quantity={self.quantity!r} is unknown", remedy="Write 'time' or 'memory'."
            )
        costs.spread_sizes(*self.sizes)


def measure(
    subject: Timed,
    baseline: Baseline,
    draw: Draw,
    *,
    rng: np.random.Generator,
    same: Same,
    promise: Promise,
) -> tuple[Measurement, ...]:
    """The slope of log cost against log size, the class of growth in its facts; `keeps` says whether the promise holds.

    Args:
        subject: the function of the student's notebook.
        baseline: the same function of the solution's notebook in a kernel of its own: null calls are made there.
        draw: makes the arguments of one call of a given size, as a tuple; new values each time.
        rng: secret; draws inputs and the order of sizes.
        same: raises unless the first argument, the submission's answer, is as right as the second, the baseline's.
        promise: the order of growth, the range of sizes, time or memory.

    Raises:
        Refused: "restarted".
        ConfigurationError: even the baseline's cost cannot be told from null calls at the largest size.
        InfrastructureError: the system does not tell peaks of memory.
        Exception: whatever `same` and the student's function raise.
    """
    pair = Pair(subject, baseline, draw, rng, same)
    collect = costs.times if promise.quantity == "time" else costs.memories
    collected = collect(pair, *promise.sizes)
    if promise.order != "1" and not (_is_seen(collected.subject) or _is_seen(collected.baseline)):
        raise ConfigurationError(
            f"growth: calls of size {promise.sizes[1]} cost nothing that can be told from calls without work",
            remedy="Allow larger sizes, or inputs that take more work for each element.",
        )
    law = fit(collected.subject)
    theirs = fit(collected.baseline)
    return (
        _measurement(
            promise, collected, (law, slope(collected.subject, law)), (theirs, slope(collected.baseline, theirs))
        ),
    )


def keeps(found: Measurement) -> bool:
    """Whether the growth that `measure` found keeps its promise: no faster class is a thousand times as likely.

    >>> keeps(Measurement("growth", Text("", ""), 1.0, "", 1.0, 1.0, Better.LOWER, facts=(Fact(PROMISE, 0.4),)))
    True
    """
    return next(one.value for one in found.facts if one.name == PROMISE and isinstance(one.value, float)) > BROKEN


def _measurement(
    promise: Promise, collected: Collected, mine: tuple[Law, Slope], theirs: tuple[Law, Slope]
) -> Measurement:
    law, line = mine
    return Measurement(
        name=f"growth_{promise.quantity}",
        title=TITLES[promise.quantity],
        value=line.value,
        unit="",  # an exponent
        low=line.low,
        high=line.high,
        better=Better.LOWER,
        oracle=theirs[1].value,
        facts=_facts(promise, collected, law, theirs[0]),
        quarantine=_quarantine(collected),
        timed=True,
    )


def _facts(promise: Promise, collected: Collected, law: Law, theirs: Law) -> tuple[Fact, ...]:
    unit, factor = ("ms", 1e3) if promise.quantity == "time" else ("MiB", 1 / 2**20)
    sizes = collected.subject.sizes
    evidence = 1 / max(law.likelihoods[law.runner_up], np.finfo(float).tiny)
    return (
        Fact(Text("classe", "class"), CLASS_WORDS[law.name]),
        Fact(Text("promesse", "promise"), CLASS_WORDS[promise.order]),
        Fact(PROMISE, law.within(promise.order)),
        Fact(Text("deuxième classe", "second class"), CLASS_WORDS[law.runner_up]),
        Fact(
            Text("vraisemblance de la classe face à la deuxième", "likelihood of the class against the second"),
            evidence,
        ),
        Fact(
            Text("pente qu'aurait la promesse", "slope that the promise would have"),
            promised_slope(promise.order, sizes),
        ),
        Fact(Text("tailles", "sizes"), ", ".join(f"{n:.0f}" for n in sizes)),
        Fact(Text("coûts médians", "median costs"), _listed(collected.subject.typical * factor), unit),
        Fact(
            Text("coûts médians de la solution", "median costs of the solution"),
            _listed(collected.baseline.typical * factor),
            unit,
        ),
        Fact(Text("appels à vide, soustraits", "null calls, subtracted"), _listed(collected.null * factor), unit),
        Fact(Text("constante ajustée", "fitted constant"), law.constant * factor, unit),
        Fact(Text("classe de la solution", "class of the solution"), CLASS_WORDS[theirs.name]),
    )


def promised_slope(order: str, sizes: Array) -> float:
    """The slope that costs of exactly `order` have over `sizes`: n log n is a little steeper than 1."""
    return float(np.polyfit(np.log(sizes), np.log(CLASSES[order](sizes)), 1)[0])


def _listed(values: Array) -> Text:
    """Three digits each, without powers of ten, in which figures of several sizes are hard to compare."""
    shown = [f"{float(f'{value:.3g}'):g}" for value in values]
    return Text(" ; ".join(shown).replace(".", ","), ", ".join(shown))


def _is_seen(found: Costs) -> bool:
    return bool(found.typical[-1] > SEEN * found.spread[-1])


def _quarantine(collected: Collected) -> Text | None:
    if collected.spare < HIDING_BYTES:
        return None
    held = f"{collected.spare / 2**20:.0f}"
    return Text(POOL.fr.format(held=held), POOL.en.format(held=held))


def controls() -> None:
    """Recognise costs whose law is known, with noise, an overhead and a step where caches end.

    Raises:
        InfrastructureError: one is taken for another.
    """
    rng = np.random.default_rng(4)  # the same in every run: a control is right or it is not
    sizes = np.round(np.geomspace(128, 128 * LEAST_SPAN**2, costs.N_SIZES))
    for name, law in CLASSES.items():
        found = fit(synthetic(law, sizes, rng))
        if found.name != name:
            raise InfrastructureError(
                f"growth: costs of class {name} are taken for {found.name}",
                remedy="Do not mark with this installation; run the tests of harness.metrics.growth.",
            )


def synthetic(law: Callable[[Array], Array], sizes: Array, rng: np.random.Generator) -> Costs:
    """Times of a known law: 0.2 s at the largest size, 2 ms of overhead, 2 % of noise, 5 % more beyond the middle."""
    exact = law(sizes) / law(sizes).max() * 0.2
    caches = np.where(sizes > np.median(sizes), 1.0 if law is CLASSES["1"] else 1.05, 1.0)
    noisy = exact * caches * (1 + 0.02 * rng.standard_normal((costs.ROUNDS, len(sizes)))) + 0.002
    return Costs(sizes, noisy, np.hypot(1e-4, costs.CACHES_DOUBT * exact))
