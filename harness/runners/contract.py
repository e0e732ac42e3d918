"""What any way of spreading work over processes promises: every task ends once, and none takes another down with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Task(Generic[ArgumentT]):
    """One call of the work function."""

    argument: ArgumentT
    limit_s: float  # after this wall time the worker is ended and the task has failed


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that gave no result: its worker hung, died or raised."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended(Generic[ArgumentT, ResultT]):
    """A task that is over, with its result or why there is none."""

    task: Task[ArgumentT]
    result: ResultT | Failure


class Runner(Protocol):
    """Runs tasks side by side in processes of their own."""

    def run(
        self, work: Callable[[ArgumentT], ResultT], tasks: Sequence[Task[ArgumentT]]
    ) -> Iterator[Ended[ArgumentT, ResultT]]:
        """Yield each task as it ends, in order of ending.

        `work` is a function of a module, its argument and result can be pickled (they are ours, never a student's).
        Closing the iterator, or an exception in the loop over it, ends every worker with all its children.
        """
