"""What a leaderboard says: frozen dataclasses, made here, shown by `reports` and `export`.

Not covered: how any of it is computed.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from harness.records import Better, Text


class Reason(StrEnum):
    """Why a notebook has no rank. No score, no rank; none of these is a bad score."""

    QUARANTINED = "quarantined"  # a person must look first
    REFUSED = "refused"  # its answers cannot be scored: wrong, against the metric's protocol, or without an interval
    UNANSWERED = "unanswered"  # its code raised, ran out of time or memory, or ended the kernel
    ABSENT = "absent"  # it was not measured: not defined, or what it depends on did not succeed
    POLICY = "policy"  # a rule of the assignment was broken
    UNREADABLE = "unreadable"  # not a notebook
    INFRASTRUCTURE = "infrastructure"  # our fault: it is marked again


class Split(StrEnum):
    """Which part of the data a board is measured on."""

    PUBLIC = "public"  # the part that is told before the end
    PRIVATE = "private"  # the part that decides
    NONE = "none"  # there is one part only


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric as boards speak of it."""

    metric: str  # its name in results.json
    title: Text
    unit: str
    better: Better | None  # None: nobody has been measured yet
    step: float | None  # of the Ladder, in `unit`; None: values are told as measured
    logarithmic: bool = False  # whether its scale is


@dataclass(frozen=True, slots=True)
class Entry:
    """One author on a board."""

    name: str  # pseudonym
    student: str | None  # None in what is published
    rank: int  # 1 + the number of entries whose interval lies wholly above
    shared: bool  # whether others have the same rank
    value: float
    low: float  # end of the 95 % interval
    high: float
    notebooks: int  # how many different ones were handed in
    runs: int  # how often the one that counts was marked


@dataclass(frozen=True, slots=True)
class Aside:
    """An author whose notebook (the last, or the one that counts) has no rank."""

    name: str
    student: str | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Board:
    """Who stands where in one metric."""

    title: Text
    measure: Measure
    split: Split
    baseline: float | None
    oracle: float | None
    entries: tuple[Entry, ...]  # by rank, then value, then name
    asides: tuple[Aside, ...]  # by name


@dataclass(frozen=True, slots=True)
class Point:
    """One notebook among others: what it reaches and what that costs."""

    name: str
    student: str | None
    quality: float
    cost: float
    dominated: bool  # another is at least as good in both and better in one
    cost_per_point: float | None  # joules for each point that the quality earned; None where that is not told


@dataclass(frozen=True, slots=True)
class Front:
    """What quality costs."""

    title: Text
    quality: Measure
    cost: Measure
    points: tuple[Point, ...]  # the front first, by quality from the best, then cost and name


@dataclass(frozen=True, slots=True)
class Section:
    """The boards of one assignment."""

    assignment: str
    title: Text
    declared: bool  # whether assignment.toml has [[boards]]
    withheld: int  # boards and fronts that are not told yet
    boards: tuple[Board, ...]
    fronts: tuple[Front, ...]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Everything on the page."""

    course: str
    final: bool
    sections: tuple[Section, ...]

    def anonymous(self) -> "Leaderboard":
        """The same without students' names: what may be published."""
        return replace(self, sections=tuple(_anonymous(section) for section in self.sections))


def _anonymous(section: Section) -> Section:
    boards = tuple(
        replace(
            board,
            entries=tuple(replace(entry, student=None) for entry in board.entries),
            asides=tuple(replace(aside, student=None) for aside in board.asides),
        )
        for board in section.boards
    )
    fronts = tuple(
        replace(front, points=tuple(replace(point, student=None) for point in front.points)) for front in section.fronts
    )
    return replace(section, boards=boards, fronts=fronts)
