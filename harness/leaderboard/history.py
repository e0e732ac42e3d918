"""Runs to authors: which notebooks each handed in, how often each was marked, and which one counts.

A notebook is known by its bytes: marked in several runs it is one notebook marked several times, not several tries.
Not covered: what a marking says about a metric (`measured`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from harness.records import Cohort, Graded

Attempts = Literal["last", "first", "best"]


@dataclass(frozen=True, slots=True)
class Marking:
    """One notebook marked once."""

    place: int  # order among all markings, from 0
    graded: Graded


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of one author with all its markings, oldest first."""

    markings: tuple[Marking, ...]

    @property
    def score(self) -> float:
        """The median of its marks; none is worse than any. The best run is not kept."""
        scores = [marking.graded.score for marking in self.markings if marking.graded.score is not None]
        return median(scores) if scores else float("-inf")


@dataclass(frozen=True, slots=True)
class Author:
    """A student with the notebooks that can count."""

    student: str
    notebooks: tuple[Notebook, ...]  # in the order in which they were first marked; the first alone where that counts
    newest: Notebook  # the one marked last
    counting: Notebook  # what the course's rule on attempts chooses


def in_order(cohorts: Iterable[Cohort]) -> tuple[Cohort, ...]:
    """Each run once, oldest first."""
    runs = {cohort.run.id: cohort for cohort in cohorts}
    return tuple(sorted(runs.values(), key=lambda cohort: (cohort.run.started, cohort.run.id)))


def authors(cohorts: Sequence[Cohort], attempts: Attempts) -> tuple[Author, ...]:
    """Everyone who appears in `cohorts` (oldest first), by student."""
    results = [graded for cohort in cohorts for graded in sorted(cohort.results, key=_attempt)]
    markings: dict[str, dict[str, list[Marking]]] = {}
    for place, graded in enumerate(results):
        own = markings.setdefault(graded.candidate.student, {})
        own.setdefault(graded.candidate.sha256, []).append(Marking(place, graded))
    return tuple(_author(student, list(own.values()), attempts) for student, own in sorted(markings.items()))


def _attempt(graded: Graded) -> int:
    return graded.candidate.attempt


def _author(student: str, markings: Iterable[list[Marking]], attempts: Attempts) -> Author:
    notebooks = tuple(Notebook(tuple(own)) for own in markings)
    if attempts == "first":
        return Author(student, notebooks[:1], newest=notebooks[0], counting=notebooks[0])
    newest = max(notebooks, key=_last_place)
    counting = newest if attempts == "last" else max(notebooks, key=lambda one: (one.score, _last_place(one)))
    return Author(student, notebooks, newest, counting)


def _last_place(notebook: Notebook) -> int:
    return notebook.markings[-1].place
