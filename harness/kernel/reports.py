"""Reads what a kernel says about answers, errors and broken rules: hostile plain data becomes capped records.

Whatever has the wrong shape is as if it had not been said, or makes the answer a crashed one; it never passes.
Not covered: how it is written (`probe`, `guard`), and the bytes it comes as (`wire`, `channels`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.kernel.contract import Answer
from harness.kernel.protocol import FRAMES, MESSAGE, NAME, PRINTED, VIOLATIONS, cell_name
from harness.records import Cell, Notice, Outcome, StudentError, Text

CELL_NAME = re.compile("<cell-[0-9a-f]{16}>")  # as protocol.cell_name makes them
ERRORS = {Outcome.ERROR, Outcome.MEMORY, Outcome.POLICY}  # what an exception in student code may stand for
ANSWERS = {*ERRORS, Outcome.PASSED, Outcome.FAILED, Outcome.MISSING}
FORBIDDEN = "forbidden"  # code of the notices about broken rules


@dataclass(frozen=True, slots=True)
class Report:
    """What an execute reply says beyond Jupyter's own fields."""

    error: StudentError | None = None
    outcome: Outcome | None = None  # what the error stands for
    violations: tuple[Notice, ...] = ()


class Reader:
    """Reads reports about one notebook, whose cells it can recognise."""

    def __init__(self, cells: Sequence[Cell], *, forbidden: Sequence[str] = ()) -> None:
        """Of two cells with the same source the first is named; `forbidden` are the names that rules are about."""
        self.cells = {cell_name(cell.source): cell for cell in reversed(cells)}
        self.forbidden = tuple(forbidden)

    def readable(self, text: str) -> str:
        """`text` with cells called by their place in the notebook instead of the names they are compiled under."""

        def place(name: re.Match[str]) -> str:
            cell = self.cells.get(name[0])
            return f"<cell {cell.index}>" if cell else name[0]

        return CELL_NAME.sub(place, text)

    def report(self, value: object) -> Report:
        """What an execute reply carries under "bareme"."""
        fields = value if isinstance(value, dict) else {}
        error = fields.get("error")
        outcome = _outcome(error.get("outcome"), ERRORS) if isinstance(error, dict) else None
        return Report(self.error(error), outcome, self.violations(fields.get("violations")))

    def answer(self, value: object, wall_s: float) -> Answer:
        """The answer to one call, with the rules that were broken on the way to it."""
        match value:
            case (str(said), result, error, bool(changed), tuple() | list() | None as arguments, str(printed), broken):
                outcome = _outcome(said, ANSWERS)
            case _:
                outcome = None
        if outcome is None:
            return ended(Outcome.CRASHED, "the kernel broke the protocol", wall_s)
        return Answer(
            outcome,
            result if outcome is Outcome.PASSED else None,
            self.error(error),
            changed,
            arguments,
            printed[:PRINTED],
            wall_s,
            self.violations(broken),
        )

    def error(self, value: object) -> StudentError | None:
        """An exception, with the frames that are the student's."""
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            return None
        message = value.get("message")
        frames = list(self._frames(value.get("frames")))
        places = [(cell, line) for cell, line, _ in frames if cell is not None]
        cell, line = places[-1] if places else (None, None)
        return StudentError(
            value["name"][:NAME],
            self.readable(message[:MESSAGE]) if isinstance(message, str) else "",
            tuple(text for _, _, text in frames),
            cell.index if cell else None,
            line,
        )

    def violations(self, value: object) -> tuple[Notice, ...]:
        """Rules that were broken, each once."""
        notices = [self._violation(item) for item in value[:VIOLATIONS]] if isinstance(value, list) else []
        return tuple(dict.fromkeys(notice for notice in notices if notice is not None))

    def _violation(self, item: object) -> Notice | None:
        match item:
            case {"name": str(name), "file": str(file), "line": int(line)}:
                # the rule's own words: a name from the kernel could carry what a hidden check sent there
                rule = next((rule for rule in self.forbidden if f"{name}.".startswith(f"{rule}.")), None)
                if rule is None:
                    return None
                cell = self.cells.get(file)
                return Notice(FORBIDDEN, _forbidden(rule), cell.index if cell else None, line if cell else None)
            case _:
                return None

    def _frames(self, value: object) -> Iterator[tuple[Cell | None, int, str]]:
        for frame in value[-FRAMES:] if isinstance(value, list | tuple) else ():
            match frame:
                case [str(file), int(line), str(function)]:
                    cell = self.cells.get(file)
                    yield cell, line, _place(cell, file, line, function[:NAME])
                case _:
                    continue


def _forbidden(rule: str) -> Text:
    return Text(
        f"{rule} n'est pas autorisé dans ce devoir : écrivez-le vous-même, ou passez-vous-en.",
        f"{rule} is not allowed in this assignment: write it yourself, or do without it.",
    )


def _place(cell: Cell | None, file: str, line: int, function: str) -> str:
    if cell is None:
        return f"{PurePosixPath(file).name[:NAME]}, line {line}, in {function}"
    lines = cell.source.splitlines()
    code = f": {lines[line - 1].strip()[:NAME]}" if 0 < line <= len(lines) else ""
    return f"cell {cell.index}, line {line}, in {function}{code}"


def _outcome(value: object, allowed: set[Outcome]) -> Outcome | None:
    return next((outcome for outcome in allowed if outcome == value), None)


def ended_by(outcome: Outcome, fault: str) -> str:
    """Why there is no kernel any more, in one line; `fault` as far as it is known."""
    if outcome is Outcome.CRASHED:
        return f"the kernel ended here ({fault})" if fault else "the kernel ended here"
    return "the limit of memory was reached" if outcome is Outcome.MEMORY else "the limit of CPU time was reached"


def ended(outcome: Outcome, reason: str, wall_s: float = 0.0) -> Answer:
    """The answer to a call that none came back from, and why."""
    return Answer(outcome, error=StudentError(outcome.value, reason, ()), wall_s=wall_s)
