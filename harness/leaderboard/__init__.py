"""Boards: who stands where in a metric, and how sure that is.

`section` makes the boards of one assignment from records alone; `pseudonyms` reads the files of names. Not covered:
which runs there are and what is written (`standings`), pages (`reports.board`).
"""

from collections.abc import Iterable, Mapping

from harness.course import Assignment
from harness.leaderboard import plan, standing
from harness.leaderboard.export import encode
from harness.leaderboard.history import Attempts, authors, in_order
from harness.leaderboard.plan import Terms
from harness.leaderboard.records import Leaderboard, Section
from harness.records import Cohort

__all__ = ["Leaderboard", "Section", "Terms", "encode", "section"]


def section(
    assignment: Assignment,
    cohorts: Iterable[Cohort],
    *,
    attempts: Attempts,
    names: Mapping[str, str],
    terms: Terms,
) -> Section:
    """The boards and fronts of `assignment` from all its runs, in any order.

    Args:
        attempts: which of several notebooks counts, as the course says.
        names: a pseudonym for each student.
        terms: what is to be told.

    Raises:
        ConfigurationError: assignment.toml names a metric that cannot stand where it does.
    """
    runs = in_order(cohorts)
    planned = plan.plan(assignment, runs, terms)
    everyone = standing.Everyone(runs, authors(runs, attempts), names, terms.shown)
    return Section(
        assignment=assignment.slug,
        title=assignment.file.title,
        declared=bool(assignment.file.boards),
        withheld=planned.withheld,
        boards=tuple(standing.board(board, everyone) for board in planned.boards),
        fronts=tuple(standing.front(front, everyone) for front in planned.fronts),
    )
