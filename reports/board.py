"""The leaderboard's page: boards with their figures, fronts, who has no rank and why.

Covers what the page says and where each mark of a figure goes (`plots` computes). Not covered: who stands where
(`harness.leaderboard`), wording (`wording`), HTML (`templates/leaderboard.html`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median

from harness import __version__
from harness.leaderboard import Leaderboard
from harness.leaderboard.records import Aside, Board, Entry, Front, Measure, Point, Section
from harness.quantities import grouped, unit_name
from harness.records import Better, Language, Text
from reports.plots import Forest, Mark, Scatter, forest, scatter
from reports.render import render_page, write_page
from reports.view import display_name

INTERVAL_DIGITS = 2  # significant ones of an interval's width, as everywhere on pages
PLAIN_DIGITS = 4  # of a value that stands without its interval
MOST_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One author on a board."""

    entry: Entry
    name: str
    student: str | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class AsideRow:
    """One author without a rank."""

    aside: Aside
    name: str
    student: str | None


@dataclass(frozen=True, slots=True)
class BoardView:
    """One board."""

    id: str  # of its heading
    board: Board
    measure: Measure
    decimals: int
    rows: tuple[EntryRow, ...]
    asides: tuple[AsideRow, ...]
    forest: Forest | None  # None when there is nobody to draw
    with_names: bool


@dataclass(frozen=True, slots=True)
class PointRow:
    """One notebook on a front."""

    point: Point
    number: int | None  # beside its dot; None behind the front
    name: str
    student: str | None


@dataclass(frozen=True, slots=True)
class FrontView:
    """One front."""

    id: str
    front: Front
    decimals: tuple[int, int]  # of quality and cost
    rows: tuple[PointRow, ...]
    scatter: Scatter | None
    with_per_point: bool
    with_names: bool


@dataclass(frozen=True, slots=True)
class SectionView:
    """One assignment."""

    id: str
    title: Text
    declared: bool
    withheld: int
    boards: tuple[BoardView, ...]
    fronts: tuple[FrontView, ...]


@dataclass(frozen=True, slots=True)
class BoardPage:
    """The whole page."""

    course: str
    final: bool
    with_names: bool
    with_steps: bool  # whether any board is a Ladder
    version: str
    sections: tuple[SectionView, ...]


def write_board(leaderboard: Leaderboard, path: Path, *, language: Language, now: datetime) -> Path:
    """Write the page of `leaderboard`, as it is: an anonymous one has no names to show; returns `path`.

    Raises:
        InfrastructureError: the page could not be written.
    """
    fixed, unit = partial(grouped, language=language), partial(unit_name, language=language)
    page = board_page(leaderboard)
    return write_page(path, render_page("leaderboard.html", language, now=now, page=page, fixed=fixed, unit=unit))


def board_page(leaderboard: Leaderboard) -> BoardPage:
    """What the page of `leaderboard` says."""
    sections = tuple(_section(i, section) for i, section in enumerate(leaderboard.sections, 1))
    boards = [view for section in sections for view in section.boards]
    fronts = [view for section in sections for view in section.fronts]
    return BoardPage(
        course=leaderboard.course,
        final=leaderboard.final,
        with_names=any(view.with_names for view in boards) or any(view.with_names for view in fronts),
        with_steps=any(view.measure.step is not None for view in boards),
        version=__version__,
        sections=sections,
    )


def _section(number: int, section: Section) -> SectionView:
    return SectionView(
        id=f"assignment-{number}",
        title=section.title,
        declared=section.declared,
        withheld=section.withheld,
        boards=tuple(_board(f"board-{number}-{i}", board) for i, board in enumerate(section.boards, 1)),
        fronts=tuple(_front(f"front-{number}-{i}", front) for i, front in enumerate(section.fronts, 1)),
    )


def _board(id_: str, board: Board) -> BoardView:
    triples = [(entry.value, entry.low, entry.high) for entry in board.entries]
    drawn = forest(triples, (board.baseline, board.oracle), logarithmic=board.measure.logarithmic) if triples else None
    rows = [
        EntryRow(entry, display_name(entry.name), _student(entry.student), mark)
        for entry, mark in zip(board.entries, drawn.marks if drawn else (), strict=True)
    ]
    asides = [AsideRow(aside, display_name(aside.name), _student(aside.student)) for aside in board.asides]
    widths = [high - low for _, low, high in triples]
    return BoardView(
        id=id_,
        board=board,
        measure=board.measure,
        decimals=_decimals(board.measure, [value for value, _, _ in triples], widths),
        rows=tuple(rows),
        asides=tuple(asides),
        forest=drawn,
        with_names=any(row.student is not None for row in rows) or any(row.student is not None for row in asides),
    )


def _front(id_: str, front: Front) -> FrontView:
    on_front = sum(not point.dominated for point in front.points)
    rows = [
        PointRow(point, i if i <= on_front else None, display_name(point.name), _student(point.student))
        for i, point in enumerate(front.points, 1)
    ]
    pairs = [(point.cost, point.quality) for point in front.points]
    drawn = None
    if pairs:
        drawn = scatter(
            pairs[:on_front],
            pairs[on_front:],
            low_is_better=front.cost.better is Better.LOWER,
            logarithmic=(front.cost.logarithmic, front.quality.logarithmic),
        )
    return FrontView(
        id=id_,
        front=front,
        decimals=(
            _decimals(front.quality, [point.quality for point in front.points]),
            _decimals(front.cost, [point.cost for point in front.points]),
        ),
        rows=tuple(rows),
        scatter=drawn,
        with_per_point=any(point.cost_per_point is not None for point in front.points),
        with_names=any(point.student is not None for point in front.points),
    )


def _decimals(measure: Measure, values: Sequence[float], widths: Sequence[float] = ()) -> int:
    """Decimals for all of `values`: those of the step, else what the intervals' widths warrant."""
    if measure.step is not None:
        exponent = Decimal(repr(measure.step)).normalize().as_tuple().exponent
        return min(MOST_DECIMALS, max(0, -int(exponent)))
    known = [width for width in widths if width]
    sizes = known or [abs(value) for value in values if value]
    if not sizes:
        return 0
    digits = INTERVAL_DIGITS if known else PLAIN_DIGITS
    return min(MOST_DECIMALS, max(0, digits - 1 - math.floor(math.log10(median(sizes)))))


def _student(student: str | None) -> str | None:
    return None if student is None else display_name(student)
