"""Supplies a living kernel in which the notebook's good cells have been run, starting it as often as is allowed.

Covered: what is started, counting starts, running cells again after a death, adding up what was used.
Not covered: one start (`running`), and what the kernel is wanted for (`live`).
"""

import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.course import Limits, Policy
from harness.errors import InfrastructureError
from harness.kernel.cells import Output, run_cell
from harness.kernel.inside import LAUNCHER, packages, trusted_files
from harness.kernel.provisioner import Manager, settings
from harness.kernel.reports import Reader
from harness.kernel.running import RunningKernel
from harness.records import Cell, CellRun, Device, Outcome, Reading
from harness.sandbox.contract import Program, Sandbox, Usage

STARTS = 40  # in all, each about a second; two for each check that ends it, and the wall time is a bound as well
RUN_AGAIN_S = 2.0  # a cell that raised later than this is not run again: it would take as long, and raise again
MARGIN = 4096  # characters that the kernel lets through beyond what is kept: so that we see that something is missing
SEED_BYTES = 6  # of a public seed: below 2**53, exact wherever it is written


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run, with what, and within which bounds."""

    cells: tuple[Cell, ...]
    files: Mapping[str, bytes] = field(repr=False)  # the student's and the assignment's, in the working folder
    limits: Limits
    policy: Policy
    device: Device
    seed: int = field(repr=False)  # secret: only values derived from it enter the kernel
    timed: bool = False  # its CPU time is measured: no child process may end off the account

    def public_seed(self, purpose: str) -> int:
        """A seed that student code may see: it tells nothing about the secret one, nor about another."""
        digest = hmac.digest(str(self.seed).encode("ascii"), purpose.encode("ascii"), hashlib.sha256)
        return int.from_bytes(digest[:SEED_BYTES])

    def program(self, key: str) -> Program:
        """The kernel as the sandbox runs it; `key` signs Jupyter's messages."""
        argument = settings(
            key,
            forbidden=self.policy.forbidden,
            output_characters=self.limits.output_bytes + MARGIN,
            cell_seed=self.public_seed("cells"),
            device=self.device,
        )
        return Program(
            module=LAUNCHER,
            arguments=(argument,),
            trusted=trusted_files(),
            files=self.files,
            packages=packages(self.policy),
            limits=self.limits,
            device=self.device,
            counted=self.timed,
        )


class Clock:
    """The wall time of a submission, which runs only while its kernel is wanted for something."""

    def __init__(self, wall_s: float) -> None:
        """`wall_s` are left."""
        self._left_s = wall_s
        self._since: float | None = None

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *exception: object) -> None:
        self._left_s = self.left_s
        self._since = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Time that is not the submission's passes in here."""
        self._left_s = self.left_s
        self._since = None
        try:
            yield
        finally:
            self._since = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds that are left, negative when more was used."""
        return self._left_s - (0.0 if self._since is None else time.monotonic() - self._since)


class Starts:
    """One kernel at a time."""

    def __init__(self, plan: Plan, sandbox: Sandbox, clock: Clock) -> None:
        """Nothing is started yet."""
        self.plan = plan
        self.clock = clock
        self.reader = Reader(plan.cells, forbidden=plan.policy.forbidden)
        self.count = 0
        self.used: list[Usage] = []  # by kernels that have ended
        self._sandbox = sandbox
        self._kernel: RunningKernel | None = None
        self._failure: InfrastructureError | None = None  # of a start: there is no other
        self._again: dict[int, Cell] = {}  # cells to run after a start, by index

    def remember(self, cell: Cell, run: CellRun) -> None:
        """Run `cell` again after the next start if it ended well, or raised quickly."""
        quick = run.wall_s <= RUN_AGAIN_S and run.outcome in {Outcome.ERROR, Outcome.POLICY}
        if run.outcome is Outcome.PASSED or quick:
            self._again[cell.index] = cell

    async def kernel(self, *, most: int = STARTS) -> RunningKernel | None:
        """The kernel that lives, or a new one; None when that would be more than `most` starts, or time is up.

        Raises:
            InfrastructureError: it could not be started, or its sandbox ended under it: no other is started then.
        """
        if self._failure is not None:
            raise self._failure
        while True:
            alive = self._kernel is not None and self._kernel.alive
            if self._kernel is not None and not alive:
                self._kernel.cause()  # raises where it was nobody's fault here
            if self.clock.left_s <= 0:
                return None
            if alive:
                return self._kernel
            await self.close()
            if self.count >= most:
                return None
            await self._start()
            await self._run_again()

    async def _start(self) -> None:
        self.count += 1
        manager = Manager(self._sandbox, self.plan.program)
        try:
            with self.clock.stopped():  # also while a fork server is being replaced
                await manager.start_kernel()
                self._kernel = RunningKernel(manager, self.count)
                await self._kernel.connect()
        except BaseException as error:
            if isinstance(error, InfrastructureError):
                self._failure = error
            await self.close()
            await manager.shut_down()
            raise

    async def _run_again(self) -> None:
        """Rebuild what the notebook had defined; a cell that ends the kernel this time is not run a third time."""
        assert self._kernel is not None  # noqa: S101
        nowhere = Output(0)
        for cell in list(self._again.values()):
            seconds = min(self.plan.limits.cell_s, self.clock.left_s)
            run, _ = await run_cell(self._kernel, cell, seconds=seconds, output=nowhere, reader=self.reader)
            if run.outcome in {Outcome.TIMEOUT, Outcome.MEMORY, Outcome.CRASHED}:
                del self._again[cell.index]
            if not self._kernel.alive:
                return

    async def close(self) -> None:
        """End the kernel there is."""
        if self._kernel is not None:
            kernel, self._kernel = self._kernel, None
            self.used.append(await kernel.close())

    def reading(self) -> Reading:
        """What the kernel that lives has used until now; zeros where there is none."""
        if self._kernel is None:
            return Reading(0.0, 0.0, 0, self.count)
        cpu = self._kernel.process.cpu()
        return Reading(cpu.cpu_s, cpu.waited_s, self._kernel.process.take_peak(), self.count, cpu.ticked_s)

    def usage(self) -> Usage:
        """CPU time of all starts, memory of the largest."""
        running = [self._kernel.process.usage()] if self._kernel is not None else []
        all_of_them = [*self.used, *running]
        return Usage(
            cpu_s=sum(usage.cpu_s for usage in all_of_them),
            memory_bytes=sum(usage.memory_bytes for usage in running),
            peak_memory_bytes=max((usage.peak_memory_bytes for usage in all_of_them), default=0),
            processes=sum(usage.processes for usage in running),
        )
