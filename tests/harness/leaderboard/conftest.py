"""Makers of runs with metrics, and of assignments with boards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.cli import bundled_course
from harness.course import Assignment, Board, Front
from harness.leaderboard import Section, Terms, section
from harness.records import (
    Anchor,
    Better,
    Candidate,
    CheckResult,
    Cohort,
    Graded,
    Metric,
    Outcome,
    RunInfo,
    Seconds,
    Status,
    Text,
    Visibility,
)

NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
VISIBILITIES = {"bits": Visibility.PUBLIC, "bits_private": Visibility.HIDDEN, "energy": Visibility.PUBLIC}
Maker = Callable[..., Any]


def metric(value: float, *, check: str = "bits", width: float = 0.02, **rest: Any) -> Metric:
    """A figure with its interval, `width` to both sides; lower is better."""
    values: dict[str, Any] = {
        "unit": "J" if check == "energy" else "bits/byte",
        "low": value - width,
        "high": value + width,
        "baseline": 3.0,
        "oracle": 2.0,
        "points": 1.0,
        "max_points": 4.0,
        "title": Text(f"Mesure {check}", f"Measure {check}"),
        "better": Better.LOWER,
    }
    return Metric(value=value, check=check, **values | rest)


def marked(student: str, sha: str = "a", *, attempt: int = 1, score: float | None = 10.0, **figures: Any) -> Graded:
    """One notebook marked once. Each figure is a number, a Metric, or the Outcome of a check without a metric."""
    metrics = {}
    checks = []
    for name, figure in figures.items():
        outcome = figure if isinstance(figure, Outcome) else Outcome.PASSED
        if not isinstance(figure, Outcome):
            metrics[name] = figure if isinstance(figure, Metric) else metric(figure, check=name)
        check = name.partition(".")[0]
        visibility = VISIBILITIES.get(check, Visibility.PUBLIC)
        points = 4.0 if outcome is Outcome.PASSED else 0.0
        if check not in [known.id for known in checks]:
            title = Text(f"Mesure {check}", f"Measure {check}")
            checks.append(CheckResult(check, title, visibility, points, 4.0, outcome, None, None, 0.1))
    return Graded(
        candidate=Candidate(student, f"{student}.ipynb", Path("/in"), None, sha * 64, NOON, attempt),
        status=Status.MARKED,
        score=score,
        max_score=20.0,
        late_s=0.0,
        penalty=0.0,
        checks=tuple(checks),
        metrics=metrics,
        cells=(),
        notices=(),
        policy=(),
        output_truncated=False,
        seconds=Seconds(0.1, 0.1, 0.1, 0.1),
        peak_memory_bytes=1000,
    )


def failing(student: str, status: Status, sha: str = "a") -> Graded:
    """A notebook that came to no mark."""
    score = None if status is Status.INFRASTRUCTURE else 0.0
    return replace(marked(student, sha), status=status, score=score)


def run(number: int, *results: Graded, assignment: str = "ngram") -> Cohort:
    """The run that was started `number` hours after noon."""
    info = RunInfo(
        id=f"{2**64 - 1 - number:016x}",  # in no order that could stand for time
        course="llm",
        assignment=assignment,
        title=Text("Modèles n-grammes", "N-gram models"),
        seed=0xC0FFEE_123456789,
        seed_id="f00d",
        started=NOON + timedelta(hours=number),
        bareme_version="0.1.0",
        environment={"python": "3.11"},
        device="cpu",
        jobs=2,
    )
    return Cohort(info, results, ())


def assignment_with(boards: tuple[Board, ...] = (), fronts: tuple[Front, ...] = ()) -> Assignment:
    """The bundled assignment with these tables in its assignment.toml."""
    bundled = bundled_course().assignment("ngram")
    return replace(bundled, file=replace(bundled.file, boards=boards, fronts=fronts))


def boards_of(
    *cohorts: Cohort,
    boards: tuple[Board, ...] = (),
    fronts: tuple[Front, ...] = (),
    attempts: Any = "last",
    final: bool = False,
    after_due: bool = False,
    names: Callable[[str], str] = str.upper,
) -> Section:
    """The section of one assignment; `names` turns a student's name into the pseudonym."""
    students = {graded.candidate.student for one in cohorts for graded in one.results}
    terms = Terms(final=final, after_due=after_due)
    return section(
        assignment_with(boards, fronts),
        cohorts,
        attempts=attempts,
        names={one: names(one) for one in students},
        terms=terms,
    )


class Make:
    """The makers above, for tests: modules of tests do not import each other."""

    metric = staticmethod(metric)
    marked = staticmethod(marked)
    failing = staticmethod(failing)
    run = staticmethod(run)
    assignment = staticmethod(assignment_with)
    section = staticmethod(boards_of)
    BITS = Board(Text("Texte frais", "Fresh text"), public="bits", private="bits_private", step=0.01)
    LADDER = Board(Text("Texte frais", "Fresh text"), public="bits", step=0.01)
    PLAIN = Board(Text("Texte", "Text"), public="bits")
    FRONT = Front(Text("Qualité et énergie", "Quality and energy"), quality="bits", cost="energy")
    ANCHORS = (Anchor(Text("référence", "baseline"), 3.0, 0.0), Anchor(Text("solution", "oracle"), 2.0, 1.0))


@pytest.fixture
def make() -> type[Make]:
    return Make
