"""Which fork server somebody has use for: found by what it is, never by the assignment's name.

One whose policy or packages have changed is another. Not covered: who keeps them (`kernels`).
"""

import hashlib
from dataclasses import dataclass
from typing import Self

from harness.course import Assignment, Course
from harness.kernel.warmth import warmth
from harness.records import Device


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fork server that a check or a run had use for."""

    course: str
    slug: str
    device: Device
    digest: str  # of all that makes it what it is

    @classmethod
    def of(cls, course: Course, assignment: Assignment, device: Device) -> Self:
        """The one for the kernels of `assignment`, as its file says now."""
        server = warmth(assignment.file.policy, device)
        parts = (server.settings, server.module, server.packages, sorted(server.trusted.items()), course.folder, device)
        facts = repr(parts)
        return cls(str(course.folder), assignment.slug, device, hashlib.sha256(facts.encode()).hexdigest())
