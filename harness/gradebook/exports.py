"""The files made from a run: results.json, grades.csv, junit.xml, each replaced as a whole.

Not covered: what stands in them (`results`, `grades`, `junit`), the pages (`reports`).
"""

import math
from collections.abc import Iterable
from pathlib import Path

from harness.gradebook import atomic
from harness.gradebook.grades import grades_csv
from harness.gradebook.junit import junit_xml
from harness.gradebook.results import encode, results
from harness.records import Cohort, Graded, Language


def write(cohort: Cohort, out: Path, *, after_due: bool, language: Language = "fr") -> None:
    """Write the three exports into `out`.

    Args:
        after_due: whether the due date has passed, so that checks held back until then are shown.
        language: of the messages in junit.xml, and of the spreadsheet that will open grades.csv.
    Raises:
        InfrastructureError: a file cannot be written; what was there before stays.
    """
    counted = counting(cohort.results)
    atomic.write(out / "results.json", encode(results(cohort, after_due=after_due)))
    atomic.write(out / "grades.csv", grades_csv(counted, language))
    atomic.write(out / "junit.xml", junit_xml(cohort, counted, language, after_due=after_due))


def counting(attempts: Iterable[Graded]) -> tuple[Graded, ...]:
    """One attempt for each student: the best, of equals the last.

    Where the first or last attempt counts, only that one was marked; several are there only where the best counts.
    """
    best: dict[str, Graded] = {}
    for graded in sorted(attempts, key=_merit):
        best[graded.candidate.student] = graded
    return tuple(best[student] for student in sorted(best))


def _merit(graded: Graded) -> tuple[float, int]:
    """Sorts worse before better; no mark is worse than any."""
    return (-math.inf if graded.score is None else graded.score, graded.candidate.attempt)
