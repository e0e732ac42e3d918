"""One candidate, read: cells, the files beside the notebook, remarks, and rules of the assignment that it breaks.

Runs nothing of the student's, imports nothing of it, writes nothing. Not covered: running it (`kernel`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath

from harness.course import Policy
from harness.intake import extras
from harness.intake.archive import Archive
from harness.intake.files import Files, Folder
from harness.intake.find import NOTEBOOK_BYTES
from harness.intake.packages import importable
from harness.intake.parse import Parsed, parse_cells, parse_modules
from harness.intake.policy import violations
from harness.intake.remarks import remarks
from harness.intake.repair import Repaired, read_json, read_script
from harness.intake.texts import UnreadableNotebook, notice
from harness.records import Candidate, Cell, Notice, Submission


def read(candidate: Candidate, *, policy: Policy, entry_points: Sequence[str] = ()) -> Submission:
    """The submission that `candidate` points at.

    Args:
        candidate: as `find` gave it.
        policy: what the assignment allows and forbids.
        entry_points: names that the notebook has to define, for the remark on those defined twice.
    Raises:
        UnreadableNotebook: it is not a notebook (an UnreadableSubmission; `notice` says why in both languages).
        InfrastructureError: the machine does not let us read it.
    """
    allowed = importable(policy.packages)
    with _opened(candidate) as files:
        repaired = _notebook(files, candidate.notebook)
        beside = extras.load(files, _folder(candidate.notebook), candidate.extras, importable=allowed)
    parsed, failures = parse_cells(repaired.cells)
    modules, unread = parse_modules(beside.contents)
    seen = remarks(
        repaired.cells,
        parsed,
        importable=allowed | extras.modules(beside.contents),
        entry_points=entry_points,
    )
    broken, unseen = _violations(parsed, modules, policy.forbidden)
    notices = (*repaired.notices, *beside.notices, *failures, *unread, *unseen, *_without(seen, broken))
    return Submission(candidate, repaired.cells, beside.contents, notices, broken)


def prepare(policy: Policy) -> None:
    """Look up what `policy` allows, and load what cells are read with, once: where others are forked from."""
    importable(policy.packages)
    parse_cells([Cell(0, "", "%magic")])


@contextmanager
def _opened(candidate: Candidate) -> Iterator[Files]:
    if candidate.member is None:
        depth = candidate.notebook.count("/")
        yield Folder(candidate.location.parents[depth])
    else:
        with Archive(candidate.location) as archive:
            yield archive


def _notebook(files: Files, path: str) -> Repaired:
    content = files.read(path, limit=NOTEBOOK_BYTES)
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in {".ipynb", ".py"}:
        raise UnreadableNotebook("no-notebook", path)
    return read_script(content, path) if suffix == ".py" else read_json(content, path)


def _folder(path: str) -> str:
    parent, slash, _ = path.rpartition("/")
    return parent + slash


def _violations(
    parsed: Sequence[Parsed], modules: dict[str, Parsed], forbidden: Sequence[str]
) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    """Rules broken, and remarks on code too deeply nested to be walked: without it, the rest is walked again."""
    try:
        return violations(parsed, modules, forbidden), ()
    except RecursionError:
        walkable = [piece for piece in parsed if _walkable(piece, forbidden)]
        kept = {name: module for name, module in modules.items() if _walkable(module, forbidden)}
        left_out = [notice("not-analysed", cell=piece.cell) for piece in parsed if piece not in walkable]
        return violations(walkable, kept, forbidden), tuple(left_out)


def _walkable(piece: Parsed, forbidden: Sequence[str]) -> bool:
    try:
        violations([piece], {}, forbidden)
    except RecursionError:
        return False
    return True


def _without(seen: Sequence[Notice], broken: Sequence[Notice]) -> list[Notice]:
    """Remarks on imports that break a rule say nothing more."""
    places = {(violation.cell, violation.line) for violation in broken}
    return [
        remark for remark in seen if remark.code != "package-unavailable" or (remark.cell, remark.line) not in places
    ]
