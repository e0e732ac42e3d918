"""Who handed something in and which attempt it is, read from the names of files and folders. Pure functions.

Not covered: looking at a file system or an archive (`find`).
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

MOODLE = re.compile(r"^(?P<student>.+_\d+)_assignsubmission_file_?(?P<file>.*)$")
CANVAS = re.compile(r"^(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_(?P<file>.+)$")
SEPARATORS = " _.-"
NUMBER = re.compile(r"(?: ?\((\d{1,3})\)|[ _.-](?:attempt|tentative|essai|v)[ _.-]?(\d{1,3}))$", re.IGNORECASE)
TIME = re.compile(r"(?:^|[ _.-])(\d{4})-?(\d\d)-?(\d\d)[T_ -](\d\d)[-:.h]?(\d\d)(?:[-:.]?(\d\d))?Z?$")

SIMPLE = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$|^[a-z0-9]$")
DERIVED = re.compile(r"-[0-9a-f]{12}$")  # what `safe_name` itself appends
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # device names on Windows


@dataclass(frozen=True, slots=True)
class Label:
    """What the name of one notebook says."""

    student: str
    names_assignment: bool  # the name ended in the assignment's slug
    number: int  # of the attempt, 0 when the name gives none
    time: datetime | None  # of submission, aware, UTC


def clean(name: str) -> str:
    """`name` in NFC, with U+FFFD for what cannot be printed or encoded (control characters, lone surrogates)."""
    composed = unicodedata.normalize("NFC", name)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in composed).strip()


def label(stem: str, slug: str) -> Label:
    """Read a flat file name without its suffix.

    >>> label("alice_ngram_attempt2", "ngram")
    Label(student='alice', names_assignment=True, number=2, time=None)
    >>> label("Jane Doe_12345_assignsubmission_file_tp", "ngram").student
    'Jane Doe_12345'
    """
    student, rest = _managed(clean(stem))
    base, number, time = suffixes(rest or student)
    without = _without_slug(base, slug)
    named = without is not None or base.casefold() == slug.casefold()
    return Label(student if rest else (without or base), named, number, time)


def suffixes(stem: str) -> tuple[str, int, datetime | None]:
    """`stem` without the attempt's number and time at its end, and these two."""
    number, time = 0, None
    while True:
        if found := NUMBER.search(stem):
            number = int(found[1] or found[2])
        elif (found := TIME.search(stem)) and (moment := _moment(found)):
            time = moment
        else:
            return stem, number, time
        if not found.start():
            return stem, number, time
        stem = stem[: found.start()]


def folder_student(name: str) -> str:
    """The student whose folder is called `name`, not cleaned; Moodle's folders carry a longer name."""
    found = MOODLE.match(name)
    return found["student"] if found else name


def unique(names: Iterable[str]) -> dict[str, str]:
    """An id for each raw name, distinct even where case and the Unicode form do not count.

    >>> unique(["zoé", "Zoé", "ann"])
    {'Zoé': 'Zoé', 'ann': 'ann', 'zoé': 'zoé~2'}
    """
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(names)):
        wanted = clean(name) or "unnamed"
        student, copy = wanted, 1
        while fold(student) in taken:
            copy += 1
            student = f"{wanted}~{copy}"
        taken.add(fold(student))
        ids[name] = student
    return ids


def fold(name: str) -> str:
    """What two names share when a file system may take one for the other."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def safe_name(student: str) -> str:
    """A file name for `student`: ASCII, lower case, at most 64 characters, different for different students.

    >>> safe_name("student-01"), safe_name("Zoé Martin")
    ('student-01', 'zoe-martin-89d2e95cc708')
    """
    if SIMPLE.match(student) and not DERIVED.search(student) and not RESERVED.match(student):
        return student
    plain = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].rstrip("-") or "student"
    digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable}-{digest}"


def _managed(name: str) -> tuple[str, str]:
    """Student and the student's own file name, where Moodle or Canvas has put both into `name`."""
    if found := MOODLE.match(name):
        return found["student"], found["file"]
    if found := CANVAS.match(name):
        return f"{found['name']}_{found['id']}", found["file"]
    return name, ""


def _without_slug(stem: str, slug: str) -> str | None:
    """`stem` without the separator and `slug` at its end, None where it does not end so."""
    if not stem.casefold().endswith(slug.casefold()):
        return None
    rest = stem[: -len(slug)]
    return rest.rstrip(SEPARATORS) or None if rest[-1:] and rest[-1] in SEPARATORS else None


def _moment(found: re.Match[str]) -> datetime | None:
    try:
        return datetime(*(int(part or 0) for part in found.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:  # digits that are no date
        return None
