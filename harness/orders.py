"""What is asked for: of a run, by the command (`Order`), and of one of its workers (`Job`)."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.course import Assignment, Course, Limits
from harness.records import Candidate, Device, Kernels, SandboxName

Audience = Literal["instructor", "student"]


@dataclass(frozen=True, slots=True)
class Order:
    """A cohort to be marked."""

    course: Course
    assignment: Assignment
    submissions: Path
    out: Path
    device: Device
    device_name: str
    jobs: int
    sandbox: SandboxName = "bubblewrap"
    seed: int | None = None  # None: a fresh one
    resume: bool = False
    kernels: Kernels = "auto"


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs to mark one candidate; small and picklable."""

    candidate: Candidate
    course: Path  # the course's folder
    slug: str
    seed: int = field(repr=False)  # the run's secret seed
    sandbox: SandboxName
    device: Device = "cpu"
    audience: Audience = "instructor"  # "student": public checks only
    warm: str | None = None  # address of a fork server for the assignment's kernels; None: each starts cold
    answers: Path | None = None  # the run's folder of what the oracle answers; None: it is asked each time
    limits: Limits | None = None  # None: those of assignment.toml
    until_lost: bool = False  # nothing is run after the first check that loses points: whether any does is all we ask
    first: tuple[str, ...] = ()  # with `until_lost`: ids of checks that are likeliest to, and are run before the others
    queued_at: float = field(default_factory=time.time)  # seconds since the epoch
