"""Who handed in what: folders, flat files, a zip of either, or one file become candidates in order of time.

Layouts and their rules are in docs/intake.md. Not covered: whether a notebook can be read (`read`); a student whose
folder holds none still gets a candidate, so that nobody is lost without a word.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from harness.errors import UsageError
from harness.intake.archive import Archive
from harness.intake.files import MIB, Entry, Files, Folder
from harness.intake.names import Label, clean, fold, folder_student, label, suffixes, unique
from harness.intake.texts import UnreadableNotebook
from harness.records import Candidate

NOTEBOOK_BYTES = 32 * MIB  # with outputs left in; ten times the largest honest one seen
KINDS = (".ipynb", ".py")
LAYOUTS = "Expected STUDENT/notebook.ipynb, STUDENT_ASSIGNMENT.ipynb (or .py), a .zip of either, or one notebook"


@dataclass(frozen=True, slots=True)
class _Found:
    """One attempt before students have their ids and attempts their order."""

    student: str  # as the name says it; two folders whose names differ in Unicode form stay two students
    path: str
    number: int
    time: datetime
    extras: tuple[str, ...] = ()


def find(submissions: Path, slug: str) -> tuple[Candidate, ...]:
    """Every attempt below `submissions` at the assignment `slug`, by student, then attempt.

    Raises:
        UsageError: the path is missing, holds nothing to mark, or is a damaged archive.
        InfrastructureError: something there may not be read.
    """
    if not submissions.exists():
        raise UsageError(f"{submissions} does not exist", remedy=f"{LAYOUTS}.")
    with _opened(submissions) as files:
        found = _found(submissions, files, slug)
        if not found:
            raise UsageError(f"{submissions} holds no notebook", remedy=f"{LAYOUTS}.")
        return tuple(_candidates(submissions, files, found))


def select(candidates: Sequence[Candidate], rule: Literal["last", "first", "best"]) -> tuple[Candidate, ...]:
    """The attempts that count; "best" keeps all, since only marking tells."""
    if rule == "best":
        return tuple(candidates)
    ordered = sorted(candidates, key=lambda candidate: candidate.attempt, reverse=rule == "first")
    chosen = {candidate.student: candidate for candidate in ordered}  # a later entry replaces an earlier one
    return tuple(candidate for candidate in candidates if chosen[candidate.student] is candidate)


@contextmanager
def _opened(submissions: Path) -> Iterator[Files]:
    if submissions.is_dir():
        yield Folder(submissions)
    elif submissions.suffix.lower() == ".zip":
        with Archive(submissions) as archive:
            yield archive
    else:
        yield Folder(submissions.parent)


def _found(submissions: Path, files: Files, slug: str) -> list[_Found]:
    if isinstance(files, Folder) and files.root != submissions:
        return _single(submissions, files, slug)
    entries = files.entries()
    wrapper = _wrapper(entries, slug)
    return _layout(entries, wrapper, slug)


def _single(notebook: Path, files: Folder, slug: str) -> list[_Found]:
    """One file that was named: what lies beside it comes along, unless those are other students' notebooks."""
    if notebook.suffix.lower() not in KINDS:
        raise UsageError(f"{notebook} is not a notebook", remedy=f"{LAYOUTS}.")
    entries = files.entries()
    entry = next((entry for entry in entries if entry.path == notebook.name), None)
    if entry is None:  # a hidden file that was named on purpose
        raise UsageError(f"{notebook} is a hidden file", remedy="Give it a name without a dot in front.")
    said = label(notebook.stem, slug)
    shared = any(other.names_assignment and other.student != said.student for other in _labels(entries, slug))
    return [_attempt(said.student, entry, said, extras=() if shared else _beside(entries, entry, ()))]


def _labels(entries: Iterable[Entry], slug: str) -> list[Label]:
    return [label(PurePosixPath(entry.path).stem, slug) for entry in entries if "/" not in entry.path and _kind(entry)]


def _kind(entry: Entry) -> str | None:
    suffix = PurePosixPath(entry.path).suffix.lower()
    return suffix if suffix in KINDS else None


def _wrapper(entries: Sequence[Entry], slug: str) -> str:
    """The prefix of the one folder around everything, "" when the students are at the top."""
    tops = {entry.path.partition("/")[0] for entry in entries if "/" in entry.path}
    if len(tops) != 1 or any("/" not in entry.path and _kind(entry) for entry in entries):
        return ""
    prefix = f"{tops.pop()}/"
    inside = [Entry(entry.path.removeprefix(prefix), entry.modified) for entry in entries if "/" in entry.path]
    folders = {entry.path.partition("/")[0] for entry in inside if "/" in entry.path and _kind(entry)}
    flat = {said.student for said in _labels(inside, slug) if said.names_assignment}
    directly = any("/" not in entry.path and _kind(entry) for entry in inside)
    return prefix if len(flat) > 1 or (len(folders) > 1 and not directly) else ""


def _layout(entries: Sequence[Entry], wrapper: str, slug: str) -> list[_Found]:
    flat: list[Entry] = []
    folders: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not entry.path.startswith(wrapper):
            continue
        top, _, below = entry.path.removeprefix(wrapper).partition("/")
        if below or (entry.link and not _kind(entry)):
            folders[top].append(entry)
        else:
            flat.append(entry)
    found = _flat(flat, slug)
    for top, inside in folders.items():
        attempts = _in_folder(top, inside, f"{wrapper}{top}", slug)
        # beside flat notebooks, a folder without one is shared material, not a student
        found += [attempt for attempt in attempts if not flat or attempt.path != f"{wrapper}{top}"]
    return found


def _flat(entries: Sequence[Entry], slug: str) -> list[_Found]:
    labelled = [(entry, label(PurePosixPath(entry.path).stem, slug)) for entry in entries]
    named = {said.student for _, said in labelled if said.names_assignment}
    found = []
    for entry, said in labelled:
        if said.names_assignment:  # whatever its kind: a .pdf that was handed in gets its reason
            found.append(_attempt(said.student, entry, said))
        elif _kind(entry):
            student = said.student.rpartition("_")[0] or said.student if named else said.student
            if student not in named:  # those in `named` have handed this one in for another assignment
                found.append(_attempt(student, entry, said))
    return found


def _in_folder(top: str, entries: Sequence[Entry], folder: str, slug: str) -> list[_Found]:
    """The attempts in one student's folder, or the folder itself when there is none."""
    notebooks = _attempts_among(entries, folder, slug)
    student = folder_student(top)
    if not notebooks:
        return [_Found(student, folder, 0, max(entry.modified for entry in entries))]
    found = []
    for entry in notebooks:
        inner = PurePosixPath(entry.path).relative_to(folder)
        said = label(inner.stem, slug)
        if not said.number and said.time is None and len(inner.parts) > 1:  # attempts in folders of their own
            _, number, time = suffixes(clean(f"_{inner.parts[0]}"))
            said = Label(student, said.names_assignment, number, time)
        found.append(_attempt(student, entry, said, extras=_beside(entries, entry, notebooks)))
    return found


def _attempts_among(entries: Sequence[Entry], folder: str, slug: str) -> list[Entry]:
    """Notebooks before scripts, those that name the assignment before others, the shallowest only."""
    chosen = [entry for entry in entries if _kind(entry) == ".ipynb"]
    scripts = not chosen
    if scripts:
        chosen = [entry for entry in entries if _kind(entry) == ".py"]
    named = [entry for entry in chosen if slug.casefold() in entry.path.removeprefix(folder).casefold()]
    if scripts and not named and len(chosen) > 1:  # which of several modules is the notebook?
        named = [entry for entry in chosen if PurePosixPath(entry.path).stem == "notebook"]
        if not named:
            return []
    chosen = named or chosen
    shallowest = min((entry.path.count("/") for entry in chosen), default=0)
    return [entry for entry in chosen if entry.path.count("/") == shallowest]


def _beside(entries: Iterable[Entry], notebook: Entry, attempts: Sequence[Entry]) -> tuple[str, ...]:
    parent, slash, _ = notebook.path.rpartition("/")
    apart = {notebook.path, *(entry.path for entry in attempts)}
    return tuple(
        sorted(
            entry.path
            for entry in entries
            if entry.path.startswith(parent + slash) and entry.path not in apart and _kind(entry) != ".ipynb"
        )
    )


def _attempt(student: str, entry: Entry, said: Label, *, extras: tuple[str, ...] = ()) -> _Found:
    return _Found(student, entry.path, said.number, said.time or entry.modified, extras)


def _candidates(submissions: Path, files: Files, found: Sequence[_Found]) -> Iterator[Candidate]:
    """Students in the order of their names; attempts by the number in the name, then time, then name."""
    attempts: dict[str, list[_Found]] = defaultdict(list)
    for attempt in found:
        attempts[attempt.student].append(attempt)
    ids = unique(attempts)
    for raw in sorted(attempts, key=lambda raw: (fold(ids[raw]), ids[raw])):
        ordered = sorted(attempts[raw], key=lambda attempt: (attempt.number, attempt.time, attempt.path))
        for place, attempt in enumerate(ordered, start=1):
            yield _candidate(submissions, files, attempt, student=ids[raw], place=place)


def _candidate(submissions: Path, files: Files, attempt: _Found, *, student: str, place: int) -> Candidate:
    packed = not isinstance(files, Folder)
    return Candidate(
        student=student,
        notebook=attempt.path,
        location=files.root / attempt.path if isinstance(files, Folder) else submissions,
        member=attempt.path if packed else None,
        sha256=_sha256(files, attempt.path),
        submitted_at=attempt.time,
        attempt=place,
        extras=attempt.extras,
    )


def _sha256(files: Files, path: str) -> str:
    """Of the notebook's bytes; of nothing where they cannot be taken, which `read` then says."""
    try:
        content = files.read(path, limit=NOTEBOOK_BYTES)
    except UnreadableNotebook:
        content = b""
    return hashlib.sha256(content).hexdigest()
