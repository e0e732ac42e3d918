"""Worker processes on this machine, each busy with one task at a time.

Workers are forked from a process of ours that has imported what they need (multiprocessing's fork server, see
`preload`), so that this is paid once and begins while the grader still looks for submissions.

Covered: a worker that hangs or dies fails its own task alone and is replaced; no worker outlives the grader, however it
ends. Not covered: more than one machine.
"""

import ctypes
import multiprocessing
import os
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection

import psutil
from pebble import CONSTS, ProcessExpired, ProcessPool  # the standard library's pool breaks whole when one worker dies

from harness.errors import BaremeError, InfrastructureError
from harness.runners import preload
from harness.runners.contract import ArgumentT, Ended, Failure, ResultT, Task

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([preload.__name__, "__main__"])  # "__main__": else each worker imports it by itself
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ENDING_S = 0.2  # for what was killed to be gone; then we look again
HEEDED_S = 10.0  # for the main thread to come out of whatever it computes
POOLS = 3  # one after the other: pebble gives one up, with all its tasks, when a worker dies between two of them
# Seconds between pebble's looks at its tasks and workers: its own 0.1 is felt at both ends of a run
CONSTS.sleep_unit = 0.01
AHEAD = 2  # tasks given to a pool for each of its workers, so that none waits for its next
LOOK_S = 1.0  # between two looks at whether a pool still works, while nothing ends
LOOKS = 5  # a sandbox that is being built is three processes deep


@dataclass(frozen=True, slots=True)
class LocalRunner:
    """At most `jobs` worker processes; none inherits anything of the grader's state."""

    jobs: int
    stand_in: preload.StandIn | None = None  # a function of a module: finds a process that is ready to fork workers

    def prepare(self, setup: Callable[..., object], *arguments: str) -> None:
        """See `contract.Runner.prepare`. A process that workers can be forked from is left as it is."""
        with _asked(preload.request(setup, *arguments, stand_in=self.stand_in)):
            forkserver.ensure_running()

    def call(self, work: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> ResultT:
        """See `contract.Runner.call`."""
        answers, answer = CONTEXT.Pipe(duplex=False)
        worker = CONTEXT.Process(target=_answer, args=(answer, os.getpid(), work, argument), daemon=True)
        worker.start()
        answer.close()
        try:
            result = answers.recv()
        except EOFError:
            result = Failure("it died")
        except BaseException:  # Ctrl-C
            worker.terminate()
            raise
        finally:
            worker.join()
            answers.close()
        if isinstance(result, BaremeError):
            raise result
        if isinstance(result, Failure):
            raise InfrastructureError(f"a worker failed: {result.reason}", remedy="Report it with this text.")
        return result  # type: ignore[no-any-return]  # what came out of `work`

    def run(
        self, work: Callable[[ArgumentT], ResultT], tasks: Sequence[Task[ArgumentT]], *, jobs: int | None = None
    ) -> Iterator[Ended[ArgumentT, ResultT]]:
        """See `contract.Runner.run`."""
        left = list(tasks)
        for _ in range(POOLS):
            again = []
            for ended in _in_one_pool(work, left, workers=min(jobs or self.jobs, self.jobs, len(left))):
                if isinstance(ended.result, _PoolEnded):
                    again.append(ended.task)
                else:
                    yield Ended(ended.task, ended.result)
            left = again
        yield from (Ended(task, Failure("no worker could be kept alive for it")) for task in left)


@dataclass(frozen=True, slots=True)
class _PoolEnded:
    """In place of a task's result: its pool came to an end, through no fault of that task's as far as can be told."""


def _in_one_pool(
    work: Callable[[ArgumentT], ResultT], tasks: Sequence[Task[ArgumentT]], *, workers: int
) -> Iterator[Ended[ArgumentT, ResultT | _PoolEnded]]:
    if not tasks:
        return
    waiting = deque(tasks)
    running: dict[Future[ResultT | Failure], Task[ArgumentT]] = {}
    pool = ProcessPool(max_workers=workers, initializer=_begin, initargs=(os.getpid(),), context=CONTEXT)
    try:
        while waiting or running:
            with suppress(RuntimeError):  # the pool has come to an end, see below
                while waiting and len(running) < AHEAD * workers:
                    task = waiting[0]
                    running[pool.schedule(_shielded, args=(work, task.argument), timeout=task.limit_s)] = task
                    waiting.popleft()
            done, _ = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)  # its result goes with it: a cohort's would fill memory
                yield Ended(task, _result(future.result, task))
            if not done and not pool.active:  # of tasks that it had not looked at yet nothing will ever be heard
                for task in (*running.values(), *waiting):
                    yield Ended(task, _PoolEnded())
                return
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


@contextmanager
def _asked(request: str) -> Iterator[None]:
    """While a process is started: what it is to make ready stands in its environment, and Ctrl-C passes it by."""
    resource_tracker.ensure_running()  # before: starting it unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited; workers unblock it, see _begin
    os.environ[preload.VARIABLE] = request
    try:
        yield
    finally:
        del os.environ[preload.VARIABLE]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _answer(answer: Connection, grader: int, work: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> None:
    """Runs in a worker of its own."""
    _begin(grader)
    try:
        answer.send(work(argument))
    except BaremeError as error:
        answer.send(error)
    except Exception as error:  # noqa: BLE001 - as in _shielded
        answer.send(_failure(error))


def _shielded(work: Callable[[ArgumentT], ResultT], argument: ArgumentT) -> ResultT | Failure:
    """Runs in the worker. A bug in marking one submission must not stop the cohort; only its text crosses, for an
    exception that cannot be rebuilt on the other side would stop the pool."""
    try:
        return work(argument)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is becomes this task's failure
        return _failure(error)


def _failure(error: Exception) -> Failure:
    return Failure("".join(traceback.format_exception(error)))


def _result(result: Callable[[], ResultT | Failure], task: Task[ArgumentT]) -> ResultT | Failure | _PoolEnded:
    try:
        return result()
    except TimeoutError:
        return Failure(f"the worker gave no answer within {task.limit_s:g} s and was ended")
    except ProcessExpired as error:
        return Failure(f"the worker died (exit code {error.exitcode})")
    except BrokenProcessPool:
        return _PoolEnded()


def _begin(grader: int) -> None:
    """End this worker, and first all that it has started, when the grader ends; leave Ctrl-C to the grader."""
    # a handler, not SIG_IGN, nor blocked: kernels would inherit that, and could then not be interrupted
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, lambda *_: end_everything())  # how the pool ends a worker
    # torch makes a folder for what it compiles when an oracle makes its first optimiser; we compile nothing: none anew
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.gettempdir())
    if "numpy.random" in sys.modules:  # its generator alone does not notice a fork; workers must not draw the same
        sys.modules["numpy.random"].seed()
    try:
        ended = os.pidfd_open(grader)
    except ProcessLookupError:  # it has ended already
        os._exit(1)
    threading.Thread(target=_end_with, args=(ended,), name="end with the grader", daemon=True).start()


def _end_with(grader: int) -> None:
    # Not PR_SET_PDEATHSIG: that would end this worker at once, before what it has started
    select.select([grader], [], [])
    # on the main thread, which would else see its kernel die and start another while we are at it
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(HEEDED_S)
    end_everything()


def end_everything() -> None:
    """End what this process has started, then itself; what loses its parent meanwhile comes to us and is found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for _ in range(LOOKS):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=ENDING_S)
    os.kill(os.getpid(), signal.SIGKILL)
