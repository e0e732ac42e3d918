"""A course is a folder: course.toml and assignment folders, read into frozen dataclasses and checked on load.

Every key is known and every value has its type, or the load fails with the file, the key and the remedy.
Not covered: what checks.py declares (`checks.collect`), and reading submissions (`intake`).
"""

import json
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from annotated_types import Ge, Gt, MinLen
from pydantic import ConfigDict, TypeAdapter, ValidationError  # strict typing and exact error locations for TOML

from harness.errors import ConfigurationError, UsageError
from harness.records import Language, Text

Seconds = Annotated[float, Gt(0)]
Bytes = Annotated[int, Gt(0)]
STRICT = ConfigDict(extra="forbid", strict=True)
MIB = 2**20
FileT = TypeVar("FileT")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one submission may use; each is a hard limit, enforced from outside the student's code."""

    __pydantic_config__ = STRICT
    wall_s: Seconds = 120.0  # the whole submission: cells and checks, restarts included
    cell_s: Seconds = 20.0  # one cell
    call_s: Seconds = 10.0  # one request of a check (a call, or one batch of calls)
    cpu_s: Seconds = 240.0  # CPU time of all processes together
    memory_bytes: Bytes = 2048 * MIB  # resident anonymous and shared memory of all processes together
    processes: Annotated[int, Ge(8)] = 128  # processes and threads at any moment
    disk_bytes: Bytes = 256 * MIB  # working folder and /tmp together
    output_bytes: Bytes = MIB  # printed by the notebook, kept for its author


@dataclass(frozen=True, slots=True)
class Policy:
    """What the notebook may import and which library functions it must not call."""

    __pydantic_config__ = STRICT
    packages: tuple[str, ...] = ("numpy", "torch")  # distributions the kernel can see, with what they require
    forbidden: tuple[str, ...] = ()  # dotted modules or functions; using one voids the submission


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """One name the notebook must define."""

    __pydantic_config__ = STRICT
    name: str
    signature: str  # as in the statement: "bigram_counts(names)"
    takes: Text
    returns: Text


@dataclass(frozen=True, slots=True)
class LateRule:
    """Points taken off after the due date: a share of the maximum for each started day."""

    __pydantic_config__ = STRICT
    grace_minutes: Annotated[int, Ge(0)] = 0
    percent_per_day: Annotated[float, Ge(0)] = 0.0
    max_percent: Annotated[float, Ge(0)] = 100.0


@dataclass(frozen=True, slots=True)
class Data:
    """Data files, as paths inside the assignment's folder."""

    __pydantic_config__ = STRICT
    student: tuple[str, ...] = ()  # copied beside the notebook, under their base name
    hidden: tuple[str, ...] = ()  # read by checks.py only; never in a kernel or a kit


@dataclass(frozen=True, slots=True)
class AssignmentFile:
    """assignment.toml, key by key."""

    __pydantic_config__ = STRICT
    slug: Annotated[str, MinLen(1)]
    title: Text
    description: Text
    oracle: Annotated[str, MinLen(1)]  # a module: "reference.ngram"
    points: Annotated[float, Gt(0)]  # what the points of all checks add up to
    entry_points: Annotated[tuple[EntryPoint, ...], MinLen(1)]
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    device: Literal["cpu", "any", "cuda"] = "cpu"  # "any": a GPU is used when there is one and it is asked for
    data: Data = field(default_factory=Data)
    due: datetime | None = None  # with its offset from UTC
    late: LateRule = field(default_factory=LateRule)


@dataclass(frozen=True, slots=True)
class CourseFile:
    """course.toml, key by key."""

    __pydantic_config__ = STRICT
    slug: Annotated[str, MinLen(1)]
    title: Text
    language: Language = "fr"  # of reports, unless the command says otherwise
    attempts: Literal["last", "first", "best"] = "last"  # which of several attempts counts
    weights: dict[str, Annotated[float, Ge(0)]] = field(default_factory=dict)  # assignment slug -> weight, 1 if absent


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment, ready to mark with."""

    folder: Path
    file: AssignmentFile

    @property
    def slug(self) -> str:
        return self.file.slug

    @property
    def checks(self) -> Path:
        """The pytest file with the checks."""
        return self.folder / "checks.py"


@dataclass(frozen=True, slots=True)
class Course:
    """A course and its assignments, by slug."""

    folder: Path
    file: CourseFile
    assignments: dict[str, Assignment]

    def assignment(self, slug: str) -> Assignment:
        """The assignment called `slug`.

        Raises:
            UsageError: there is none; the message lists those there are.
        """
        if slug not in self.assignments:
            known = ", ".join(sorted(self.assignments)) or "none"
            raise UsageError(f"no assignment {slug!r} in {self.folder}", remedy=f"Known assignments: {known}.")
        return self.assignments[slug]


def load_course(folder: Path) -> Course:
    """Read `folder`/course.toml and every `folder`/*/assignment.toml.

    Raises:
        ConfigurationError: a file is missing, is not TOML, or has an unknown key, a wrong type or a value out of range.
    """
    file = _read(folder / "course.toml", CourseFile)
    assignments = [_assignment(path) for path in sorted(folder.glob("*/assignment.toml"))]
    unknown = set(file.weights) - {assignment.slug for assignment in assignments}
    if unknown:
        raise ConfigurationError(
            f"{folder / 'course.toml'}: weights.{min(unknown)} names no assignment", remedy="Correct or remove the key."
        )
    return Course(folder, file, {assignment.slug: assignment for assignment in assignments})


def _assignment(path: Path) -> Assignment:
    file = _read(path, AssignmentFile)
    if file.slug != path.parent.name:
        raise ConfigurationError(
            f"{path}: slug is {file.slug!r} but the folder is {path.parent.name!r}", remedy="Give both the same name."
        )
    if file.due is not None and file.due.tzinfo is None:
        raise ConfigurationError(f"{path}: due has no offset from UTC", remedy="Write it as 2027-01-31T23:59:00+01:00.")
    for name in ("checks.py", *file.data.student, *file.data.hidden):
        if not (path.parent / name).is_file():
            raise ConfigurationError(f"{path.parent / name} is missing", remedy=f"Add it, or remove it from {path}.")
    return Assignment(path.parent, file)


def _read(path: Path, kind: type[FileT]) -> FileT:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing", remedy="Name a folder that holds a course.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}", remedy="Correct that line.") from error
    try:
        # as JSON: strict validation then takes arrays for tuples and tables for dataclasses, and nothing looser
        return TypeAdapter(kind).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_first(error)}", remedy="Correct that key.") from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        return f"unknown key {key!r}"
    return f"key {key!r}: {problem['msg']} (got {problem['input']!r})"
