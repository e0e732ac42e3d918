"""A notebook that runs: `LiveNotebook` keeps `contract.Notebook` over as many starts of a kernel as it takes.

Covered: the order and the limits of everything that is asked, and what becomes of it when the kernel ends.
Not covered: starting kernels (`starts`), one start (`running`), one cell (`cells`), what crosses (`wire`, `reports`).
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar

from harness.errors import InfrastructureError
from harness.kernel import wire
from harness.kernel.cells import Output, run_cell
from harness.kernel.contract import Answer, Call, Handle, nobody
from harness.kernel.reports import ended, ended_by
from harness.kernel.running import Exchange, RunningKernel
from harness.kernel.starts import Clock, Plan, Starts
from harness.records import Cell, CellRun, Execution, Notice, Outcome, Reading, StudentError
from harness.sandbox.contract import Sandbox

FATAL = {Outcome.MEMORY, Outcome.CRASHED}  # a call that ends so has cost a kernel
STARTS_FOR_CELLS = 3  # two cells may end the kernel; a third ends the run of the cells

ResultT = TypeVar("ResultT")
Parts = list[bytes | memoryview]


class StaleHandle(Exception):
    """A call needs an object that ended with an earlier kernel."""


class LiveNotebook:
    """A notebook in its sandboxed kernel; see `contract.Notebook`. Use it from one thread, and close it."""

    def __init__(self, plan: Plan, sandbox: Sandbox, *, calls_before: int = 0) -> None:
        """Nothing is started before something is asked; calls are numbered from `calls_before`."""
        self._plan = plan
        self._loop = asyncio.Runner()
        self._clock = Clock(plan.limits.wall_s)
        self._starts = Starts(plan, sandbox, self._clock)
        self._calls = calls_before  # asked so far: numbers their seeds
        self._violations: dict[Notice, None] = {}  # an ordered set
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run_cells(self, tell: Callable[[CellRun], None] = nobody) -> Execution:
        """Run every code cell once, starting the kernel again when a cell ends it; each is told as soon as it is over.

        The submission's clock stands still while somebody is told: a slow terminal costs the student nothing."""
        left_s = self._clock.left_s
        output = Output(self._plan.limits.output_bytes)
        runs: list[CellRun] = []
        for cell in self._plan.cells:
            runs.append(self._do(self._run_cell(cell, output)))
            tell(runs[-1])
        usage = self._starts.usage()
        return Execution(
            cells=tuple(runs),
            starts=self._starts.count,
            wall_s=left_s - self._clock.left_s,
            cpu_s=usage.cpu_s,
            peak_memory_bytes=usage.peak_memory_bytes,
            output_truncated=output.truncated,
            violations=tuple(self._violations),
        )

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        """Make `calls` in order; one answer each."""
        first, self._calls = self._calls, self._calls + len(calls)
        seeds = [self._plan.public_seed(f"call {number}") for number in range(first, self._calls)]
        return self._do(Batch(self._starts, self._violations).make(list(zip(calls, seeds, strict=True))))

    def defined(self, names: Sequence[str]) -> tuple[bool, ...]:
        """Whether each name is defined in the notebook's namespace now."""
        return self._do(self._defined(tuple(names)))

    def violations(self) -> tuple[Notice, ...]:
        """Rules seen broken so far, by cells and calls."""
        return tuple(self._violations)

    def reading(self) -> Reading:
        """What the kernel has used until now; zeros where none lives. No request is made of it."""
        return self._starts.reading()

    def close(self) -> None:
        """End the kernel and everything it started."""
        if not self._closed:
            self._closed = True
            self._loop.run(self._starts.close())
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        done: list[ResultT] = []

        async def kept() -> None:
            # not the task's own result: asyncio sets a signal handler with each task, and Python's way of looking at
            # the one before writes the task out, its result with every number in it, for an error that nobody reads
            done.append(await work)

        with self._clock:
            self._loop.run(kept())
        return done[0]

    async def _run_cell(self, cell: Cell, output: Output) -> CellRun:
        kernel = await self._starts.kernel(most=STARTS_FOR_CELLS)
        if self._clock.left_s <= 0:
            return _not_run(cell, Outcome.TIMEOUT, "the submission's time was used up before this cell")
        if kernel is None:
            return _not_run(cell, Outcome.SKIPPED, f"{STARTS_FOR_CELLS} kernels were ended by earlier cells")
        seconds = min(self._plan.limits.cell_s, self._clock.left_s)
        run, report = await run_cell(kernel, cell, seconds=seconds, output=output, reader=self._starts.reader)
        self._violations.update(dict.fromkeys(report.violations))
        self._starts.remember(cell, run)
        return run

    async def _defined(self, names: tuple[str, ...]) -> tuple[bool, ...]:
        """What a kernel that ends, or lies about this, defines is nothing."""
        kernel = await self._starts.kernel()
        if kernel is not None:
            seconds = min(self._plan.limits.call_s, self._clock.left_s)
            exchange = await kernel.exchange([wire.encode(("defined", names))], seconds=seconds)
            found = exchange.replies[0][1] if exchange.replies else ()
            if isinstance(found, tuple) and len(found) == len(names):
                return tuple(value is True for value in found)
        return (False,) * len(names)


def _not_run(cell: Cell, outcome: Outcome, reason: str) -> CellRun:
    return CellRun(cell.index, outcome, 0.0, StudentError(outcome.value, reason, (), cell.index), "")


class Batch:
    """Calls that are made together, over as many requests as deaths of the kernel make necessary."""

    def __init__(self, starts: Starts, violations: dict[Notice, None]) -> None:
        """Broken rules are added to `violations`."""
        self._starts = starts
        self._violations = violations
        self._answers: list[Answer] = []

    async def make(self, calls: Sequence[tuple[Call, int]]) -> tuple[Answer, ...]:
        """Answers to all of `calls`, each with its seed.

        When the kernel dies it is not certain which of several unanswered calls did it: the reply to the first may have
        been lost with it. That one is then made again alone; when it dies again, the others are not made.
        """
        alone = False
        while len(self._answers) < len(calls):
            if self._answers and self._answers[-1].outcome in FATAL:
                skipped = ended(Outcome.SKIPPED, "an earlier call of the same request ended the kernel")
                self._answers += [skipped] * (len(calls) - len(self._answers))
                break
            left = calls[len(self._answers) :]
            kernel = await self._starts.kernel()
            if kernel is None or self._starts.clock.left_s <= 0:
                self._give_up(len(left))
                break
            asked = left[:1] if alone else left
            alone = not await self._request(kernel, asked)
        return tuple(self._answers)

    async def _request(self, kernel: RunningKernel, calls: Sequence[tuple[Call, int]]) -> bool:
        """Answer as many of `calls` as one request can; False when the next is to be made alone."""
        items = self._encoded(kernel, calls)
        if not items:
            self._answers.append(ended(Outcome.CRASHED, "the object it needs ended with an earlier kernel"))
            return True
        seconds = min(self._starts.plan.limits.call_s, self._starts.clock.left_s)
        exchange = await kernel.exchange(items, seconds=seconds)
        self._take(exchange)
        unanswered = len(items) - len(exchange.replies)
        if exchange.ended is None or not unanswered:
            return True
        if exchange.overran:
            reason = f"no answer within {seconds:.1f} s for {len(items)} calls together"
            self._answers += [ended(Outcome.TIMEOUT, reason, seconds)] * unanswered
            return True
        if unanswered == 1:
            self._answers.append(ended(exchange.ended, ended_by(exchange.ended, kernel.last_fault())))
        return unanswered == 1

    def _encoded(self, kernel: RunningKernel, calls: Sequence[tuple[Call, int]]) -> list[Parts]:
        """The calls up to the first that needs an object which is gone."""
        items: list[Parts] = []
        for call, seed in calls:
            try:
                items.append(_encode(call, seed, kernel.number))
            except StaleHandle:
                break
        return items

    def _take(self, exchange: Exchange) -> None:
        for wall_s, value in exchange.replies:
            answer = self._starts.reader.answer(value, wall_s)
            self._answers.append(answer)
            self._violations.update(dict.fromkeys(answer.violations))

    def _give_up(self, count: int) -> None:
        if self._starts.clock.left_s <= 0:
            answer = ended(Outcome.TIMEOUT, "the submission's time was used up before this call")
        else:
            answer = ended(Outcome.CRASHED, f"the kernel has ended {self._starts.count} times: it is not started again")
        self._answers += [answer] * count


def _encode(call: Call, seed: int, start: int) -> Parts:
    """One call as it crosses.

    Raises:
        StaleHandle: it needs an object of another start.
        InfrastructureError: an argument cannot cross.
    """

    def keep(value: object) -> wire.Reference:
        if not isinstance(value, Handle):
            raise InfrastructureError(
                f"a check passes an object of type {type(value).__name__} to {call.name}",
                remedy="Pass plain data, arrays, tensors or handles.",
            )
        if value.start != start:
            raise StaleHandle(call.name)
        return wire.Reference(value.id, value.type_name)

    options = {"in_place": call.in_place, "seed": seed, "commit": call.commit}
    try:
        return wire.encode(("call", call.name, call.target, (tuple(call.args), dict(call.kwargs)), options), keep=keep)
    except (wire.WireError, wire.NotPlain) as error:
        raise InfrastructureError(
            f"a check's arguments to {call.name} cannot be sent: {error}", remedy="Pass less."
        ) from error
