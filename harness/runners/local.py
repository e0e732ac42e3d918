"""Worker processes on this machine, each busy with one task at a time.

Covered: a worker that hangs or dies fails its own task alone and is replaced; no worker outlives the grader, however it
ends. Not covered: more than one machine.
"""

import ctypes
import multiprocessing
import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass

import psutil
from pebble import ProcessExpired, ProcessPool  # the standard library's pool breaks whole when one worker dies

from harness.runners.contract import ArgumentT, Ended, Failure, ResultT, Task

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ENDING_S = 0.2  # for what was killed to be gone; then we look again
HEEDED_S = 10.0  # for the main thread to come out of whatever it computes
LOOKS = 5  # a sandbox that is being built is three processes deep


@dataclass(frozen=True, slots=True)
class LocalRunner:
    """`jobs` worker processes, started afresh by spawning: nothing of the grader's state is inherited."""

    jobs: int

    def run(
        self, work: Callable[[ArgumentT], ResultT], tasks: Sequence[Task[ArgumentT]]
    ) -> Iterator[Ended[ArgumentT, ResultT]]:
        """See `contract.Runner.run`."""
        if not tasks:
            return
        context = multiprocessing.get_context("spawn")
        workers = min(self.jobs, len(tasks))
        pool = ProcessPool(max_workers=workers, initializer=_tie_to_parent, initargs=(os.getpid(),), context=context)
        try:
            futures: dict[Future[ResultT | Failure], Task[ArgumentT]] = {
                pool.schedule(_shielded, args=(work, task.argument), timeout=task.limit_s): task for task in tasks
            }
            for future in as_completed(futures):
                yield Ended(futures[future], _result(future.result, futures[future]))
        finally:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _shielded(work: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> ResultT | Failure:
    """Runs in the worker. A bug in marking one submission must not stop the cohort; only its text crosses, for an
    exception that cannot be rebuilt on the other side would stop the pool."""
    try:
        return work(argument)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is becomes this task's failure
        return Failure("".join(traceback.format_exception(error)))


def _result(result: Callable[[], ResultT | Failure], task: Task[ArgumentT]) -> ResultT | Failure:
    try:
        return result()
    except TimeoutError:
        return Failure(f"the worker gave no answer within {task.limit_s:g} s and was ended")
    except (ProcessExpired, BrokenProcessPool) as error:
        return Failure(f"the worker died (exit code {getattr(error, 'exitcode', 'unknown')})")


def _tie_to_parent(parent: int) -> None:
    """End this worker, and first all that it has started, when the grader ends; leave Ctrl-C to the grader."""
    # a handler, not SIG_IGN: that would be inherited by kernels, which could then not be interrupted
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: _end())  # how the pool ends a worker
    try:
        grader = os.pidfd_open(parent)
    except ProcessLookupError:  # it has ended already
        os._exit(1)
    threading.Thread(target=_end_with, args=(grader,), name="end with the grader", daemon=True).start()


def _end_with(grader: int) -> None:
    # Not PR_SET_PDEATHSIG: a worker that is killed at once leaves behind a sandbox that was just being built
    select.select([grader], [], [])
    # on the main thread, which would else see its kernel die and start another while we are at it
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(HEEDED_S)
    _end()


def _end() -> None:
    """End what this worker has started, then the worker; what loses its parent meanwhile comes to us and is found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for _ in range(LOOKS):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=ENDING_S)
    os.kill(os.getpid(), signal.SIGKILL)
