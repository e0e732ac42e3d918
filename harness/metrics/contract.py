"""What every metric is given and what it returns; `checks` supplies the one and records the other.

Not covered: how a call reaches a kernel (`kernel`), and what a value earns (`scale`).
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from harness.records import Better, Fact, Text
from harness.records import Reading as Reading  # part of what a metric is given


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a metric found about one submission."""

    name: str  # stable and machine-readable: "perplexity", "ndcg@10"
    title: Text
    value: float
    unit: str
    low: float  # end of the 95 % interval
    high: float
    better: Better
    baseline: float | None = None  # the same quantity for what an assignment calls the baseline
    oracle: float | None = None  # the same quantity for the reference solution, or the best there can be
    facts: tuple[Fact, ...] = ()
    quarantine: Text | None = None  # why a person must look before it is ranked
    timed: bool = False  # read from a clock, a meter or the system: two runs of one notebook differ


class Refused(Exception):
    """The answers cannot be scored: they break the metric's protocol. Never raised for a value that is merely bad."""

    def __init__(self, reason: str, text: Text) -> None:
        """`reason` is stable and machine-readable ("unnormalised"); `text` says it to the student."""
        super().__init__(f"{reason}: {text.en}")
        self.reason = reason
        self.text = text


class Asked(Protocol):
    """A function of a notebook that runs in its kernel; answers are plain data, exceptions mean there was none."""

    def __call__(self, *args: Any) -> Any:
        """Call it once."""

    def map(self, arguments: Iterable[Any]) -> list[Any]:
        """Call it for each element (a tuple is several arguments) in one round trip."""


@runtime_checkable
class Twinned(Asked, Protocol):
    """A function that may be had a second time, in a fresh kernel of the same notebook with the same history."""

    @property
    def twinned(self) -> bool:
        """Whether it can be had."""

    def twin(self) -> AbstractContextManager[Self]:
        """The same function in a fresh kernel, which ends with the context."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One call as the grader saw it."""

    value: Any  # the complete answer, rebuilt here from its bytes
    wall_s: float  # from the request's sending to the answer's arrival, on the grader's clock


class Timed(Asked, Protocol):
    """A function whose cost can be read from outside its kernel."""

    def timed(self, *args: Any) -> Timing:
        """Call it once, alone in its request."""

    def reading(self) -> Reading:
        """What its kernel has used so far; takes well under a millisecond, none of it on the kernel's account."""


class Baseline(Timed, Protocol):
    """A function of the baseline kernel: trusted, so overhead can be measured there."""

    def null(self, args: tuple[Any, ...], answer: Any) -> Timing:
        """A call of the same size that does no work: takes `args`, returns `answer`, both over the very same path."""
