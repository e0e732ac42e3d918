"""What the stages hand to each other: frozen dataclasses, every field with its unit. No behaviour, no I/O.

Not covered: configuration (`course`), and how any of it is stored (`gradebook`) or shown (`reports`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

Language = Literal["fr", "en"]
Device = Literal["cpu", "cuda"]  # where kernels put tensors
AskedDevice = Literal["auto", "cpu", "cuda"]  # "auto": what the assignment allows and the machine has
SandboxName = Literal["bubblewrap", "plain"]
Kernels = Literal["auto", "warm", "cold"]  # "auto": warm where that works, else cold


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence for people, in both languages."""

    fr: str
    en: str

    def in_language(self, language: Language) -> str:
        """The sentence in `language`."""
        return self.fr if language == "fr" else self.en


class Outcome(StrEnum):
    """How a check, a call or a cell ended. Never collapsed into a number."""

    PASSED = "passed"
    FAILED = "failed"  # ran to its end, the answer is wrong
    ERROR = "error"  # student code raised
    TIMEOUT = "timeout"  # wall or CPU time ran out
    MEMORY = "memory"  # the memory limit was reached
    CRASHED = "crashed"  # the kernel died, or broke the protocol
    POLICY = "policy"  # a rule of the assignment was broken
    MISSING = "missing"  # the entry point is not defined
    SKIPPED = "skipped"  # a prerequisite failed
    INFRASTRUCTURE = "infrastructure"  # our fault: never scored


class Visibility(StrEnum):
    """Who may see what a check found, and when."""

    PUBLIC = "public"
    HIDDEN = "hidden"
    AFTER_DUE = "after_due"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a notebook that its author should know; `code` is stable and machine-readable."""

    code: str
    text: Text
    cell: int | None = None  # index in the notebook, from 0
    line: int | None = None  # line within the cell, from 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One attempt that intake found; its content is read later, by the worker that marks it."""

    student: str
    notebook: str  # path inside the submissions folder or archive, with "/"
    location: Path  # the file on disk: the notebook itself, or the archive that holds it
    member: str | None  # the notebook's name inside the archive, None for a plain file
    sha256: str  # of the notebook's bytes, hexadecimal
    submitted_at: datetime  # aware, UTC
    attempt: int  # from 1, in order of time
    extras: tuple[str, ...] = ()  # files beside the notebook: paths as `notebook` gives them


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell as it will be run."""

    index: int  # position in the notebook, from 0, markdown cells counted
    id: str
    source: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A candidate that has been read: code cells, the files beside it, and what was noticed on the way."""

    candidate: Candidate
    cells: tuple[Cell, ...]
    extras: Mapping[str, bytes] = field(repr=False)  # name in the working folder -> content
    notices: tuple[Notice, ...]  # repairs and remarks
    violations: tuple[Notice, ...]  # rules of the assignment that static reading saw broken


@dataclass(frozen=True, slots=True)
class StudentError:
    """An exception in student code, as plain capped strings."""

    name: str  # the exception's class
    message: str
    traceback: tuple[str, ...]  # frames of the student's own code, innermost last
    cell: int | None = None  # index of the cell whose code raised, where known
    line: int | None = None  # line within that cell, from 1


@dataclass(frozen=True, slots=True)
class CellRun:
    """One code cell that was run (or skipped because it had ended the kernel before)."""

    cell: int  # index in the notebook
    outcome: Outcome
    wall_s: float
    error: StudentError | None
    output: str  # what it printed, plain text, capped


@dataclass(frozen=True, slots=True)
class Execution:
    """The notebook run from top to bottom in its sandbox."""

    cells: tuple[CellRun, ...]
    starts: int  # kernels started, 1 when nothing went wrong
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    output_truncated: bool
    violations: tuple[Notice, ...]  # rules seen broken at run time


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kernel's whole process tree has used since it started, read by the grader from the system."""

    cpu_s: float  # of every process and thread, those that have ended included
    waited_s: float  # run-queue delay: threads were ready to run and no processor was free
    peak_memory_bytes: int  # most memory held since the last reading, all processes together; 0: it cannot be told
    start: int  # which start of the kernel; figures of different starts do not compare
    ticked_s: float = 0.0  # the part of cpu_s that the system counts in ticks: of children that have ended


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """What checks.py declares about one check."""

    id: str
    title: Text
    points: float
    visibility: Visibility
    needs: tuple[str, ...] = ()  # ids of checks that must pass first
    measures: tuple[str, ...] = ()  # kinds of metrics it measures: "perplexity", "speed", ...


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome for one submission."""

    id: str
    title: Text
    visibility: Visibility
    points: float
    max_points: float
    outcome: Outcome
    message: Text | None  # the sentence for the student, None when passed
    counterexample: str | None  # the smallest input that differs, as Python source
    wall_s: float


class Better(StrEnum):
    """Which way a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


# What a metric's own baseline and oracle are called, on a scale and off it.
BASELINE = Text("référence", "baseline")
ORACLE = Text("solution", "oracle")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A named place on the way from a metric's value to points, as the student sees it."""

    name: Text  # "floor", "baseline", "oracle", or the assignment's own word
    value: float  # in the metric's unit
    share: float  # of the points, from 0 to 1, that reaching it earns


@dataclass(frozen=True, slots=True)
class Fact:
    """Something measured or recorded beside a metric, for people: token perplexity, share of ties, the GPU's name."""

    name: Text
    value: float | str | Text  # a number, words that are the same in both languages, or a sentence
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured quality with its uncertainty and its anchors."""

    value: float
    unit: str
    low: float  # end of the 95 % interval
    high: float
    baseline: float | None
    oracle: float | None
    points: float  # what its scale gave; they are counted with the check, once
    max_points: float  # 0 for a metric that is shown and earns nothing
    check: str  # id of the check that measured it
    title: Text
    better: Better
    anchors: tuple[Anchor, ...] = ()  # its scale, worst first; none: it has no scale
    facts: tuple[Fact, ...] = ()
    quarantine: Text | None = None  # why a person must look before it is ranked
    timed: bool = False  # read from a clock, a meter or the system: two runs of one notebook differ
    logarithmic: bool = False  # its scale is: twice and half are equally far from one


class Status(StrEnum):
    """How the marking of one submission as a whole went."""

    MARKED = "marked"
    POLICY = "policy"  # a forbidden name: no check was run
    UNREADABLE = "unreadable"  # not a notebook
    INFRASTRUCTURE = "infrastructure"  # our fault: no mark


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall time spent in each stage."""

    queued: float
    started: float  # until the kernel was ready
    executed: float  # the notebook's own cells
    checked: float


@dataclass(frozen=True, slots=True)
class Graded:
    """Everything known about one submission when its marking is over."""

    candidate: Candidate
    status: Status
    score: float | None  # None when infrastructure failed: no evidence, no mark
    max_score: float
    late_s: float  # seconds after the due date, 0 when in time
    penalty: float  # points taken off for lateness, already subtracted from `score`
    checks: tuple[CheckResult, ...]
    metrics: Mapping[str, Metric]
    cells: tuple[CellRun, ...]
    notices: tuple[Notice, ...]
    policy: tuple[Notice, ...]  # rules broken, seen statically or at run time
    output_truncated: bool
    seconds: Seconds
    peak_memory_bytes: int
    failure: str | None = None  # what broke on our side, for the instructor


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One marking run of one assignment over one cohort."""

    id: str  # random, hexadecimal
    course: str
    assignment: str
    title: Text  # of the assignment
    seed: int = field(repr=False)  # secret, kept in the gradebook only
    seed_id: str  # public fingerprint of the seed
    started: datetime  # aware, UTC
    bareme_version: str
    environment: Mapping[str, str]  # versions of Python, torch, ...; the sandbox's name
    device: str  # "cpu", or the accelerator's name
    jobs: int


@dataclass(frozen=True, slots=True)
class Override:
    """An instructor's own decision on a mark or a comment; survives every regrade."""

    student: str
    check: str | None  # None: the whole score, or a comment on the whole submission
    points: float | None  # None: a comment only
    comment: str
    author: str
    made: datetime  # aware, UTC


@dataclass(frozen=True, slots=True)
class Cohort:
    """A run and all its results: what exports, reports and boards are made from."""

    run: RunInfo
    results: tuple[Graded, ...]  # by student, then attempt; overrides already applied to points and score
    overrides: tuple[Override, ...]
