"""The fixtures that measure: `perplexity`, `retrieval`, `speed`, `growth`, `energy`, and what a measured check earns.

Each is one call of the metric's own `measure` (`harness.metrics`), with the run's randomness; what it finds is recorded
with the check, and its scale turns the first value into the share of the check's points.
Not covered: how a quality is measured (`metrics`), calls to the notebook (`proxy`).
"""

import importlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness import quantities
from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Measurement
from harness.metrics.scale import Scale
from harness.records import BASELINE, ORACLE, CheckSpec, Language, Metric, Text

METRICS = {  # fixture -> the module whose `measure` it is; imported when it is asked for, as some need an extra
    "perplexity": "harness.metrics.perplexity",
    "retrieval": "harness.metrics.retrieval",
    "speed": "harness.metrics.speed",
    "growth": "harness.metrics.growth",
    "energy": "harness.metrics.energy",
}
TIMED = frozenset({"speed", "growth", "energy"})  # those that count CPU time
ALL_DIGITS = 17  # of a float: no two are written alike
DECIMALS = 2  # of points: what a page shows is what is added up
HELD = Text("Mesuré, mais pas encore noté.", "Measured, but not marked yet.")  # the reason stands with the metric
ENTIRE = 1.0  # the share of a check that measures without a scale, and of one that measures nothing


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement as it will be recorded."""

    key: str  # in `Graded.metrics`
    measurement: Measurement
    scale: Scale | None


@dataclass
class Findings:
    """What one check has measured so far."""

    check: str
    found: list[Found] = field(default_factory=list)

    def add(self, measurements: tuple[Measurement, ...], scale: Scale | None) -> None:
        """Record what one call of a fixture returned: its first measurement is the headline, with the check's own name.

        Raises:
            ConfigurationError: checks.py measures twice under one name, gives points for two scales, or more points for
                what is worse.
            InfrastructureError: the headline is no number.
        """
        self._refuse_without_share(measurements[0], scale)
        for place, measurement in enumerate(measurements):
            key = self.check if place == 0 and not self.found else f"{self.check}.{measurement.name}"
            self._refuse_twins(key)
            self.found.append(Found(key, measurement, scale if place == 0 else None))
        if sum(one.scale is not None for one in self.found) > 1:
            raise ConfigurationError(
                f"check {self.check!r} has two scales", remedy="Give each measurement that earns points its own check."
            )

    @property
    def share(self) -> float:
        """The share of the points: by the one scale there is; what a person must look at first earns nothing yet."""
        if any(one.measurement.quarantine for one in self.found):
            return 0.0
        scaled = next((one for one in self.found if one.scale is not None), None)
        return ENTIRE if scaled is None or scaled.scale is None else scaled.scale.share(scaled.measurement.value)

    def shortfall(self) -> Text | None:
        """Why the check earns nothing although it was measured, for the student; None when it earns something."""
        if self.share > 0:
            return None
        if any(one.measurement.quarantine for one in self.found):
            return HELD
        return self._where_points_start()

    def metrics(self, spec: CheckSpec, points: float) -> dict[str, Metric]:
        """The records, when the check `spec` has earned `points`."""
        return {one.key: _metric(one, spec, points) for one in self.found}

    def _refuse_without_share(self, measurement: Measurement, scale: Scale | None) -> None:
        if math.isnan(measurement.value):
            raise InfrastructureError(
                f"check {self.check!r}: {measurement.name!r} was measured as nan",
                remedy="Report it: a metric refuses what it cannot measure.",
            )
        if scale is not None and scale.better is not measurement.better:
            raise ConfigurationError(
                f"check {self.check!r}: its scale goes the wrong way, {measurement.better.value} is better",
                remedy="Give the anchors from the worst to the best.",
            )

    def _refuse_twins(self, key: str) -> None:
        if any(one.key == key for one in self.found):
            problem = f"check {self.check!r} measures {key!r} twice"
            raise ConfigurationError(problem, remedy="Measure it in another check.")

    def _where_points_start(self) -> Text:
        measurement, scale = next((one.measurement, one.scale) for one in self.found if one.scale is not None)
        start = [anchor for anchor in scale.anchors if not anchor.share][-1]
        fr, en = (_apart(measurement.value, start.value, measurement.unit, language) for language in ("fr", "en"))
        return Text(
            f"Mesuré : {fr[0]}. Pour gagner des points, faites mieux que {fr[1]} ({start.name.fr}).",
            f"Measured: {en[0]}. To earn points, do better than {en[1]} ({start.name.en}).",
        )


@dataclass(frozen=True)
class Measure:
    """One of the fixtures, for one test."""

    name: str
    rng: np.random.Generator
    findings: Findings
    function: str = "measure"  # of the metric's module
    during: Callable[[], AbstractContextManager[None]] = nullcontext  # holds while it measures

    def __call__(self, *subjects: Any, scale: Scale | None = None, **options: Any) -> Measurement:
        """Measure, record, and return the headline; `scale` turns it into points, without one it earns them all.

        `subjects` and `options` are those of the metric's own `measure`.

        Raises:
            Refused: the answers cannot be scored.
            NoAnswer, Mismatch: there was no answer, or a wrong one.
            ConfigurationError: checks.py asks for something impossible.
        """
        measure: Callable[..., tuple[Measurement, ...]]
        measure = getattr(importlib.import_module(METRICS[self.name]), self.function)
        with self.during():
            found = measure(*subjects, rng=self.rng, **options)
        self.findings.add(found, scale)
        return found[0]


class RetrievalMeasure(Measure):
    """The fixture `retrieval`, which can also compare systems and time approximate search."""

    @property
    def compare(self) -> Measure:
        """Pairs of systems, see `harness.metrics.retrieval.compare`."""
        return replace(self, function="compare")

    @property
    def ann(self) -> Measure:
        """Recall against queries per second, see `harness.metrics.retrieval.ann`."""
        return replace(self, function="ann")


def _apart(value: float, start: float, unit: str, language: Language) -> list[str]:
    """Both with their unit, with the digits that tell them apart."""
    shown: list[str] = []
    for digits in range(quantities.PLAIN_DIGITS, ALL_DIGITS + 1):
        shown = [quantities.plain(number, unit, language, digits=digits) for number in (value, start)]
        if value == start or shown[0] != shown[1]:
            break
    return shown


def _metric(one: Found, spec: CheckSpec, points: float) -> Metric:
    measurement = one.measurement
    anchors = one.scale.anchors if one.scale else ()
    stated = {anchor.name: anchor.value for anchor in anchors}  # by the assignment; else what the metric found
    return Metric(
        value=measurement.value,
        unit=measurement.unit,
        low=measurement.low,
        high=measurement.high,
        baseline=stated.get(BASELINE, measurement.baseline),
        oracle=stated.get(ORACLE, measurement.oracle),
        points=points if one.scale else 0.0,
        max_points=spec.points if one.scale else 0.0,
        check=spec.id,
        title=spec.title if one.key == spec.id else measurement.title,
        better=measurement.better,
        anchors=anchors,
        facts=measurement.facts,
        quarantine=measurement.quarantine,
        timed=measurement.timed,
        logarithmic=one.scale is not None and one.scale.logarithmic,
    )
