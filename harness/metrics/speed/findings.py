"""What is said about a ratio: its facts, and why a person must look before it is ranked.

Not covered: the ratio itself (`estimate`).
"""

from collections.abc import Sequence
from statistics import median

import numpy as np

from harness.metrics.contract import Measurement
from harness.metrics.speed.blocks import Block, Spent
from harness.metrics.speed.estimate import Estimate, waiting
from harness.metrics.speed.settings import BUSY, IDLE, SEVERAL, SUSPICIOUS, UNSEEN, Settings
from harness.records import Better, Fact, Text
from harness.statistics import median_interval

UNIT = "×"
TITLES = {
    "cpu": Text("Vitesse (temps processeur)", "Speed (CPU time)"),
    "wall": Text("Vitesse (temps écoulé)", "Speed (wall time)"),
}


def headline(found: Estimate, kept: Sequence[Block], *, n_taken: int, settings: Settings) -> Measurement:
    """The measurement that counts; `kept` are the blocks behind it, of `n_taken`."""
    facts = (*times(found), *conditions(kept, n_taken), *conduct(kept, settings), *settings.facts)
    return _measurement("speed", found, facts, quarantine(found, kept, settings))


def beside(found: Estimate) -> Measurement:
    """The same by the other clock, for people."""
    return _measurement(f"speed_{found.clock}", found, times(found), None)


def _measurement(name: str, found: Estimate, facts: tuple[Fact, ...], why: Text | None) -> Measurement:
    return Measurement(
        name=name,
        title=TITLES[found.clock],
        value=found.ratio,
        unit=UNIT,
        low=found.low,
        high=found.high,
        better=Better.HIGHER,
        baseline=1.0,
        facts=facts,
        quarantine=why,
        timed=True,
    )


def times(found: Estimate) -> tuple[Fact, ...]:
    """Milliseconds of a call, and of a null call that was subtracted."""
    return (
        Fact(Text("votre fonction, par appel", "your function, a call"), _ms(found.subject_s), "ms"),
        Fact(Text("la référence, par appel", "the baseline, a call"), _ms(found.baseline_s), "ms"),
        Fact(Text("appel à vide, déjà déduit", "null call, already subtracted"), _ms(found.null_s), "ms"),
    )


def conditions(kept: Sequence[Block], n_taken: int) -> tuple[Fact, ...]:
    """How much was measured, on how busy a machine."""
    waited = 100 * median(waiting(block) for block in kept)
    facts = [
        Fact(Text("appels chronométrés et vérifiés", "calls timed and checked"), sum(b.subject.calls for b in kept)),
        Fact(Text("blocs retenus", "blocks kept"), len(kept)),
        Fact(Text("blocs répétés", "blocks repeated"), n_taken - len(kept)),
        Fact(Text("attente d'un processeur", "waiting for a processor"), round(waited, 1), "%"),
    ]
    n_busy = sum(waiting(block) > BUSY for block in kept)
    if n_busy:
        warning = Text(
            f"machine restée occupée pendant {n_busy} blocs sur {len(kept)} ; l'intervalle en tient compte",
            f"machine stayed busy for {n_busy} of {len(kept)} blocks; the interval takes account of it",
        )
        facts.append(Fact(Text("avertissement", "warning"), warning))
    return tuple(facts)


def conduct(kept: Sequence[Block], settings: Settings) -> tuple[Fact, ...]:
    """What the submission did beyond working during its calls, on the threads it is allowed."""
    total = sum((block.subject for block in kept), Spent())
    idle = sum(block.idle_cpu_s for block in kept) / total.cpu_s
    at_once = processors(kept)
    facts = []
    if idle > IDLE:
        name = Text("travail entre les appels, compté", "work between calls, counted")
        facts.append(Fact(name, round(100 * idle, 1), "%"))
    if at_once > SEVERAL * settings.threads:
        facts.append(Fact(Text("processeurs utilisés à la fois", "processors used at once"), round(at_once, 1)))
    return tuple(facts)


def processors(kept: Sequence[Block]) -> float:
    """Processors that the submission kept busy during its calls, median over blocks."""
    return median((block.subject.cpu_s - block.idle_cpu_s) / block.subject.wall_s for block in kept)


def quarantine(found: Estimate, kept: Sequence[Block], settings: Settings) -> Text | None:
    """Why a person must look, None when nobody must."""
    if settings.floor_s is not None and found.subject_s < settings.floor_s:
        took, floor = _ms(found.subject_s), _ms(settings.floor_s)
        return _look(
            f"{_fr(took)} ms par appel, moins que les {_fr(floor)} ms que demandent les opérations et les octets",
            f"{took} ms a call, less than the {floor} ms that operations and bytes take",
        )
    if found.ratio >= SUSPICIOUS:
        times = round(found.ratio, 1)
        return _look(f"{_fr(times)} fois plus rapide que la référence", f"{times} times as fast as the baseline")
    hidden_s = unseen_s(kept)
    if found.clock == "cpu" and hidden_s > UNSEEN * found.subject_s:
        return _look(
            f"au moins {_fr(_ms(hidden_s))} ms par appel passent sans travail visible du noyau, à dormir, à attendre, "
            "ou dans des processus trop brefs pour être vus",
            f"at least {_ms(hidden_s)} ms a call pass without visible work of the kernel: sleeping, waiting, or in "
            "processes too brief to be seen",
        )
    return None


def _look(fr: str, en: str) -> Text:
    capital = fr[0].upper() + fr[1:], en[0].upper() + en[1:]
    return Text(
        f"{capital[0]}. Une personne doit regarder avant tout classement.",
        f"{capital[1]}. A person must look before this is ranked.",
    )


def unseen_s(kept: Sequence[Block]) -> float:
    """Wall seconds a call, at least, that neither work nor waiting explains, beyond what the baseline has of them.

    Where CPU time counts, this is what hides from it: sleep and, without a sandbox, children that end within
    milliseconds and that nobody waits for. On a busy machine as much as is waited for a processor may be missing.
    """
    # by pairs of calls, as the ratio: the few that a neighbour made dear would hide the rest
    beyond = [median(_unexplained(own) - _unexplained(other) for own, other in block.calls) for block in kept]
    waited_s = median(max(own.waited_s, other.waited_s) for block in kept for own, other in block.calls)
    return median_interval(np.array(beyond)).low - waited_s


def _unexplained(spent: Spent) -> float:
    return (spent.wall_s - spent.cpu_s - spent.waited_s) / spent.calls


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 3)


def _fr(number: float) -> str:
    return str(number).replace(".", ",")
