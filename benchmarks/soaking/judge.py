"""What must hold after a soak: the right results, nothing left behind, nothing that grows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from benchmarks.soaking.cohort import KINDS
from benchmarks.soaking.watch import OURS, Sample

FLAT = 0.05  # by how much the last quarter may differ from the second
SPARE = 4  # descriptors, of which a worker holds 15 more while it has a kernel; a leak of one in 100 submissions is 5


@dataclass(frozen=True)
class Growth:
    """One quantity of one role."""

    role: str
    what: str
    second: float  # quarter
    last: float
    spare: float = 0.0
    judged: bool = True

    @property
    def flat(self) -> bool:
        return not self.judged or abs(self.last - self.second) <= max(FLAT * self.second, self.spare)


def wrong_results(submissions: Sequence[Mapping[str, Any]], students: Mapping[str, str]) -> Iterator[str]:
    """Everything in results.json that is not as it must be, one sentence each."""
    counted = Counter(item["student"] for item in submissions)
    for student in sorted(students.keys() - counted.keys()):
        yield f"{student} is missing"
    for student, count in counted.items():
        if count != 1 or student not in students:
            yield f"{student} is there {count} times"
    for item in submissions:
        kind = KINDS[students[item["student"]]]
        found = {check["id"]: check["status"] for check in item["checks"]}
        wanted = {"double": kind.double, "locate": kind.locate}
        if item["status"] != "marked" or found != wanted:
            yield f"{item['student']} ({students[item['student']]}): {item['status']}, {found} instead of {wanted}"


def growth(samples: Sequence[Sample], submissions: int) -> Iterator[Growth]:
    """What must not grow, in the second quarter of the run and in the last."""
    second = [each for each in samples if submissions / 4 <= each.done < submissions / 2]
    last = [each for each in samples if submissions * 3 / 4 <= each.done < submissions]
    for role in OURS:
        one, other = ([each.held[role] for each in part if role in each.held] for part in (second, last))
        if one and other:
            descriptors = (mean(held.descriptors for held in part) for part in (one, other))
            yield Growth(role, "descriptors, mean", *descriptors, spare=SPARE)
            yield Growth(
                role, "anonymous MiB, median", *(median(held.anonymous_mib for held in part) for part in (one, other))
            )
            # falls when more programs share the same pages at that moment, so it says nothing about growth
            yield Growth(
                role, "PSS MiB, median", *(median(held.pss_mib for held in part) for part in (one, other)), judged=False
            )
