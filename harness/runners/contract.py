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
    """Runs tasks side by side in processes of their own.

    Work functions belong to a module; what they take and return can be pickled (it is ours, never a student's).
    """

    def prepare(self, setup: Callable[..., object], *arguments: str) -> None:
        """Let `setup(*arguments)` begin where workers come from, and return at once.

        It makes nothing but haste: workers that find it undone, or failed, do what they need by themselves.
        """

    def call(self, work: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> ResultT:
        """One call in a worker, waited for without a limit.

        Raises:
            BaremeError: as `work` raised it; an InfrastructureError where it raised anything else, or died.
        """

    def run(
        self, work: Callable[[ArgumentT], ResultT], tasks: Sequence[Task[ArgumentT]], *, jobs: int | None = None
    ) -> Iterator[Ended[ArgumentT, ResultT]]:
        """Yield each task as it ends, in order of ending; at most `jobs` at a time, where that is given.

        Closing the iterator, or an exception in the loop over it, ends every worker with all its children.
        """
