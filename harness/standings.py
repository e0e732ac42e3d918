"""From runs to a leaderboard with names: which runs belong together, who is called what, what may be told today.

Not covered: who stands where (`leaderboard`), the page (`reports.board`).
"""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.course import Assignment, Course
from harness.errors import UsageError
from harness.gradebook import atomic
from harness.leaderboard import Leaderboard, Terms, pseudonyms, section
from harness.records import Cohort

CHOSEN_NAMES = "pseudonyms.toml"  # in the course's folder
DRAWN_NAMES = "pseudonyms.json"  # beside the leaderboard; it says who is who, so it is for its owner alone
OWNER_ONLY = 0o077  # umask


@dataclass(frozen=True, slots=True)
class Order:
    """What the command asks for."""

    course: Course
    runs: Sequence[Cohort]  # of any assignments of the course, in any order
    out: Path  # keeps the names that are drawn
    final: bool = False
    pseudonyms: Path | None = None  # None: the course's own file, where there is one


def make(order: Order, now: datetime) -> Leaderboard:
    """The boards of every assignment that has a run, with names that are new where they have to be.

    Raises:
        UsageError: an assignment is not of the course, or its final standing is asked for before it is due.
        ConfigurationError: assignment.toml or a file of pseudonyms says something impossible.
        InfrastructureError: new names cannot be kept.
    """
    slugs = sorted({run.run.assignment for run in order.runs})
    terms = {slug: _terms(order.course.assignment(slug), final=order.final, now=now) for slug in slugs}
    names = _names(order, {graded.candidate.student for run in order.runs for graded in run.results})
    sections = [
        section(
            order.course.assignment(slug),
            [run for run in order.runs if run.run.assignment == slug],
            attempts=order.course.file.attempts,
            names=names,
            terms=terms[slug],
        )
        for slug in slugs
    ]
    return Leaderboard(order.course.file.slug, order.final, tuple(sections))


def copies(full: Leaderboard, *, names: bool) -> dict[str, Leaderboard]:
    """Stem of the file -> what stands in it; only the instructor's copy has students' names."""
    published = {"leaderboard": full.anonymous()}
    return published | {"leaderboard-instructor": full} if names else published


def _terms(assignment: Assignment, *, final: bool, now: datetime) -> Terms:
    after_due = assignment.is_after_due(now)
    if final and not after_due:
        raise UsageError(
            f"{assignment.slug} is due on {assignment.file.due}: its final standing would tell what is still worked on",
            remedy="Leave --final out until then.",
        )
    return Terms(final=final, after_due=after_due)


def _names(order: Order, students: Collection[str]) -> dict[str, str]:
    """The name that each student chose, else the one that was drawn and is kept in `order.out`."""
    kept = pseudonyms.read_kept(order.out / DRAWN_NAMES)
    own = order.course.folder / CHOSEN_NAMES
    path = order.pseudonyms or (own if own.is_file() else None)
    chosen = pseudonyms.read_chosen(path, students, kept=kept) if path else {}
    drawn = pseudonyms.drawn(set(students) - set(chosen), kept=kept, taken=chosen.values())
    if drawn != kept:
        _write_private(order.out / DRAWN_NAMES, pseudonyms.encode_kept(drawn))
    return drawn | chosen


def _write_private(path: Path, content: bytes) -> None:
    before = os.umask(OWNER_ONLY)
    try:
        atomic.write(path, content)
    finally:
        os.umask(before)
