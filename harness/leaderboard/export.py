"""leaderboard.json: the boards for programs, schema_version 1, the shape of leaderboard.schema.json.

It says what the page says. Given an anonymous leaderboard it holds no student's name; run, seed and notebook
fingerprints are in none.
Not covered: writing the file (`cli`), the page (`reports.board`).
"""

import json
import math
from typing import Any

from harness.leaderboard.records import Aside, Board, Entry, Front, Leaderboard, Measure, Point, Reason, Section
from harness.records import Text

SCHEMA_VERSION = 1


def encode(leaderboard: Leaderboard) -> bytes:
    """`leaderboard` as the bytes of leaderboard.json: the same content, the same bytes."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "course": leaderboard.course,
        "final": leaderboard.final,
        "assignments": [_section(section) for section in leaderboard.sections],
    }
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def _section(section: Section) -> dict[str, Any]:
    return {
        "assignment": section.assignment,
        "title": _text(section.title),
        "declared": section.declared,
        "withheld": section.withheld,
        "boards": [_board(board) for board in section.boards],
        "fronts": [_front(front) for front in section.fronts],
    }


def _board(board: Board) -> dict[str, Any]:
    return {
        "title": _text(board.title),
        "measure": _measure(board.measure),
        "split": board.split.value,
        "baseline": _number(board.baseline),
        "oracle": _number(board.oracle),
        "entries": [_entry(entry) for entry in board.entries],
        "unranked": [_aside(aside) for aside in board.asides],
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "metric": measure.metric,
        "title": _text(measure.title),
        "unit": measure.unit,
        "better": None if measure.better is None else measure.better.value,
        "step": measure.step,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "rank": entry.rank,
        "shared": entry.shared,
        **_who(entry),
        "value": entry.value,
        "low": entry.low,
        "high": entry.high,
        "notebooks": entry.notebooks,
        "runs": entry.runs,
    }


def _aside(aside: Aside) -> dict[str, Any]:
    return {**_who(aside), "reason": aside.reason.value, "retry": aside.reason is Reason.INFRASTRUCTURE}


def _front(front: Front) -> dict[str, Any]:
    return {
        "title": _text(front.title),
        "quality": _measure(front.quality),
        "cost": _measure(front.cost),
        "points": [_point(point) for point in front.points],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        **_who(point),
        "quality": point.quality,
        "cost": point.cost,
        "dominated": point.dominated,
        "cost_per_point": point.cost_per_point,
    }


def _who(one: Entry | Aside | Point) -> dict[str, str]:
    return {"name": one.name} if one.student is None else {"name": one.name, "student": one.student}


def _text(text: Text) -> dict[str, str]:
    return {"fr": text.fr, "en": text.en}


def _number(value: float | None) -> float | None:
    """A number that every JSON reader takes; what is not known is null."""
    return value if value is not None and math.isfinite(value) else None
