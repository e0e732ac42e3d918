"""A course is a folder: course.toml and assignment folders, read into frozen dataclasses and checked on load.

Every key is known and every value has its type, or the load fails with the file, the key and the remedy.
Not covered: what checks.py declares (`checks.collect`), and reading submissions (`intake`).
"""

import json
import math
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from annotated_types import Ge, Gt, Le, Lt, MinLen
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
class Board:
    """One ranking of the leaderboard: a metric, and how much of it is told before the end."""

    __pydantic_config__ = STRICT
    title: Text
    public: Annotated[str, MinLen(1)]  # name of a metric in results.json, measured by a check that students may see
    private: Annotated[str, MinLen(1)] | None = None  # the same by a hidden check: what the final standing is from
    step: Annotated[float, Gt(0), Lt(math.inf)] | None = None  # of the Ladder, in the metric's unit


@dataclass(frozen=True, slots=True)
class Front:
    """What quality costs: two metrics of the same notebooks, and those that no other beats in both."""

    __pydantic_config__ = STRICT
    title: Text
    quality: Annotated[str, MinLen(1)]  # a metric; where it is `public` of a board, that board's step and split count
    cost: Annotated[str, MinLen(1)]  # the same: time, energy, memory


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant of the solution that no check can tell from it, because what it answers is right as well."""

    __pydantic_config__ = STRICT
    mutant: Annotated[str, MinLen(1)]  # its id, as `bareme audit` prints it
    reason: Text  # why every answer stays right


@dataclass(frozen=True, slots=True)
class Audit:
    """What `bareme audit` asks of the checks."""

    __pydantic_config__ = STRICT
    mutants: Annotated[int, Ge(0)] = 150  # systematic faults, at least
    killed: Annotated[float, Ge(0), Le(1)] = 0.97  # share of those not equivalent that lose points
    nulls: Annotated[float, Ge(0), Le(1)] = 0.05  # share of the points that a notebook without work may earn
    seeds: Annotated[int, Ge(1)] = 30  # under each of which the solution earns every point
    budget: Annotated[float, Gt(0), Le(1)] = 2 / 3  # share of each limit that the solution may use
    equivalent: tuple[Equivalent, ...] = ()


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
    boards: tuple[Board, ...] = ()  # none: one for each metric that heads a check
    fronts: tuple[Front, ...] = ()
    audit: Audit = field(default_factory=Audit)


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
    def path(self) -> Path:
        """assignment.toml, for messages."""
        return self.folder / "assignment.toml"

    @property
    def checks(self) -> Path:
        """The pytest file with the checks."""
        return self.folder / "checks.py"

    def is_after_due(self, now: datetime) -> bool:
        """Whether nobody can hand in in time any more; True where there is no due date."""
        return self.file.due is None or now >= self.file.due


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
    _verify_boards(path, file)
    _verify_audit(path, file)
    return Assignment(path.parent, file)


def _verify_boards(path: Path, file: AssignmentFile) -> None:
    """A metric has one place: it is public or private, and of one board."""
    used = Counter(name for board in file.boards for name in (board.public, board.private) if name is not None)
    for i, board in enumerate(file.boards):
        for key, name in (("public", board.public), ("private", board.private)):
            if name is not None and used[name] > 1:
                raise ConfigurationError(
                    f"{path}: key 'boards.{i}.{key}': metric {name!r} stands {used[name]} times in [[boards]]",
                    remedy="Name each metric once.",
                )
    for i, front in enumerate(file.fronts):
        if front.quality == front.cost:
            raise ConfigurationError(
                f"{path}: key 'fronts.{i}.cost' is the quality, {front.cost!r}", remedy="Name two different metrics."
            )


def _verify_audit(path: Path, file: AssignmentFile) -> None:
    listed = Counter(equivalent.mutant for equivalent in file.audit.equivalent)
    for mutant, times in listed.items():
        if times > 1:
            problem = f"{path}: mutant {mutant!r} stands {times} times in [[audit.equivalent]]"
            raise ConfigurationError(problem, remedy="Name each mutant once.")


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
