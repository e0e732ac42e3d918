"""Worker processes: every task ends once; a hang, a death or a bug fails its own task alone; nothing is left."""

import contextlib
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import psutil
import pytest
from pebble.pool.process import PoolManager

from harness.errors import ConfigurationError, InfrastructureError
from harness.runners.contract import Failure, Task
from harness.runners.local import LocalRunner

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def test_each_task_ends_once_with_its_own_result() -> None:
    from work import double

    tasks = [Task(number, limit_s=60) for number in range(20)]
    ended = {item.task.argument: item.result for item in LocalRunner(2).run(double, tasks)}
    assert ended == {number: 2 * number for number in range(20)}


def test_no_tasks_start_no_worker() -> None:
    from work import double

    assert list(LocalRunner(2).run(double, [])) == []
    assert not _workers()


def test_a_worker_that_fails_takes_nobody_with_it() -> None:
    from work import misbehave

    wanted = {
        "raise": "a bug in marking",
        "stubborn": "cannot be rebuilt",
        "exit": "died",
        "kill": "died",
        "hang": "within 2 s",
    }
    hows = ["fine", "raise", "stubborn", "also fine", "exit", "still fine", "kill", "hang", "fine at last"]
    ended = {
        item.task.argument: item.result
        for item in LocalRunner(2).run(misbehave, [Task(how, limit_s=2 if how == "hang" else 60) for how in hows])
    }
    assert ended.keys() == set(hows)
    for how, result in ended.items():
        if how in wanted:
            assert isinstance(result, Failure)
            assert wanted[how] in result.reason
        else:
            assert result == how
    assert not _workers()


@pytest.mark.parametrize("times", [1, 2])
def test_a_pool_that_comes_to_an_end_is_replaced(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    from work import double

    still_to_break = _breaking(monkeypatch, times)
    ended = {item.task.argument: item.result for item in LocalRunner(2).run(double, [Task(n, 60) for n in range(20)])}
    assert ended == {number: 2 * number for number in range(20)}
    assert still_to_break == []
    assert not _workers()


def test_pools_are_not_replaced_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    from work import double

    _breaking(monkeypatch, 100)
    (ended,) = LocalRunner(2).run(double, [Task(1, 60)])
    assert isinstance(ended.result, Failure)
    assert "no worker" in ended.result.reason
    assert not _workers()


def _breaking(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Pools that end at their first look at their workers, as where one has died without a task; what is left of it."""
    left = list(range(times))
    look = PoolManager.update_workers

    def broken(pool: PoolManager) -> None:
        if left:
            left.pop()
            raise BrokenProcessPool("All workers expired")
        look(pool)

    monkeypatch.setattr(PoolManager, "update_workers", broken)
    return left


def test_leaving_the_loop_ends_the_workers() -> None:
    from work import misbehave

    ended = LocalRunner(2).run(misbehave, [Task("fine", 60), Task("hang", 60), Task("hang", 60)])
    assert next(ended).result == "fine"
    ended.close()
    assert not _workers()


def test_leaving_the_loop_ends_what_the_workers_started(tmp_path: Path, gone: Any) -> None:
    from work import double, either, say_who_and_hang

    ended = LocalRunner(1).run(either, [Task((double, 1), 60), Task((say_who_and_hang, str(tmp_path)), 600)])
    next(ended)
    _until(lambda: len(list(tmp_path.iterdir())) == 2)
    ended.close()
    gone(*(int(path.name) for path in tmp_path.iterdir()))


def test_a_call_is_answered_by_a_worker_that_ends_with_it() -> None:
    from work import double

    assert LocalRunner(1).call(double, 4) == 8
    assert not _workers()


@pytest.mark.parametrize(
    ("how", "wanted"),
    [("raise", "a bug in marking"), ("exit", "it died"), ("kill", "it died"), ("stubborn", "from its text alone")],
)
def test_a_call_that_fails_says_why(how: str, wanted: str) -> None:
    from work import misbehave

    with pytest.raises(ConfigurationError if how == "stubborn" else InfrastructureError, match=wanted):
        LocalRunner(1).call(misbehave, how)


def test_fewer_jobs_than_the_runners_own() -> None:
    from work import who

    runner = LocalRunner(4)
    assert len({item.result for item in runner.run(who, [Task(number, 60) for number in range(8)], jobs=1)}) == 1


def test_kernels_started_by_a_worker_can_be_interrupted() -> None:
    from work import interruptible

    assert [item.result for item in LocalRunner(1).run(interruptible, [Task(0, 60)])] == [True]


def test_workers_and_all_they_started_end_with_a_grader_that_is_killed(tmp_path: Path, gone: Any) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    program = (
        "from work import say_who_and_hang\n"
        "from harness.runners.contract import Task\n"
        "from harness.runners.local import LocalRunner\n"
        "if __name__ == '__main__':\n"
        f"    list(LocalRunner(2).run(say_who_and_hang, [Task({str(pids)!r}, 600)] * 2))\n"
    )
    script = tmp_path / "grader.py"
    script.write_text(program, encoding="utf-8")
    grader = subprocess.Popen([sys.executable, script], env={"PYTHONPATH": str(HERE)})
    _until(lambda: len(list(pids.iterdir())) == 4)
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    gone(*(int(path.name) for path in pids.iterdir()))


def _workers() -> list[psutil.Process]:
    """Children of the process that workers are forked from, which stays, as multiprocessing's resource tracker does."""
    return [worker for child in psutil.Process().children() if _forks(child) for worker in child.children()]


def _forks(process: psutil.Process) -> bool:
    return "multiprocessing.forkserver" in _command_line(process)


def _command_line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def _until(condition, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
