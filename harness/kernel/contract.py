"""What the grader may ask of a notebook that runs: call what it defines, and receive plain data.

`LiveNotebook` (live.py) keeps this contract; `checks` knows nothing else of kernels.
Values that cross are None, bool, int, float, str, bytes, list, tuple, dict, NumPy arrays and scalars, torch tensors and
`Handle`s, rebuilt from raw bytes as exactly these types.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.records import CellRun, Execution, Notice, Outcome, Reading, StudentError


@dataclass(frozen=True, slots=True)
class Handle:
    """An object that stays in the kernel."""

    id: int
    type_name: str
    start: int  # which start of the kernel it lives in; after a restart it is gone


@dataclass(frozen=True, slots=True)
class Call:
    """One call to be made: a top-level name of the notebook, or a method of an object that stays there."""

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    target: Handle | None = None  # the object whose method `name` is
    in_place: bool = (
        False  # the entry point may change its arguments; their final values come back in `Answer.arguments`
    )
    # a matrix of floats stays in the kernel: (handle, dtype, shape, SHA-256 of each row) comes instead, and `gather`,
    # `take` and `release` of the handle can be called (docs/kernel.md)
    commit: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call."""

    # PASSED: `value` is there; else ERROR, TIMEOUT, MEMORY, CRASHED, POLICY, MISSING, FAILED (not plain data), or
    # SKIPPED (not made: an earlier call of the batch ended the kernel)
    outcome: Outcome
    value: Any = None
    error: StudentError | None = None
    arguments_changed: bool = False  # the call wrote into its arguments
    arguments: Sequence[Any] | None = None  # their final values, for `in_place` calls
    output: str = ""  # what it printed, capped; for the author only
    wall_s: float = 0.0
    violations: tuple[Notice, ...] = ()  # rules that the call broke


def nobody(_: object) -> None:
    """Whom news is told where nobody wants it."""


class Notebook(Protocol):
    """A notebook in its kernel, as the grader sees it. Raises InfrastructureError when our side fails, nothing else."""

    def run_cells(self, tell: Callable[[CellRun], None] = nobody) -> Execution:
        """Run every code cell once, starting the kernel again when a cell ends it; each is told as soon as it ends."""

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        """Make `calls` in order, in one round trip where the kernel survives; one answer each.

        A call that ends the kernel gets its outcome, and those after it are SKIPPED: one bad function costs its own
        check two kernels, and never the time of the others. What is asked next finds the kernel started again and the
        notebook's good cells run again; a handle from before is gone (CRASHED, `error` says so)."""

    def violations(self) -> tuple[Notice, ...]:
        """Rules seen broken so far, by cells and calls."""

    def defined(self, names: Sequence[str]) -> tuple[bool, ...]:
        """Whether each name is defined in the notebook's namespace now."""

    def reading(self) -> Reading:
        """What the kernel has used until now; zeros where none lives. No request is made of it."""

    def close(self) -> None:
        """End the kernel and everything it started."""
