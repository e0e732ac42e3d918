"""Worker processes: every task ends once; a hang, a death or a bug fails its own task alone; nothing is left."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

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


def test_leaving_the_loop_ends_the_workers() -> None:
    from work import misbehave

    ended = LocalRunner(2).run(misbehave, [Task("fine", 60), Task("hang", 60), Task("hang", 60)])
    assert next(ended).result == "fine"
    ended.close()
    assert not _workers()


def test_leaving_the_loop_ends_what_the_workers_started(tmp_path: Path) -> None:
    from work import double, either, say_who_and_hang

    ended = LocalRunner(1).run(either, [Task((double, 1), 60), Task((say_who_and_hang, str(tmp_path)), 600)])
    next(ended)
    _until(lambda: len(list(tmp_path.iterdir())) == 2)
    ended.close()
    _until(lambda: not any(psutil.pid_exists(int(path.name)) for path in tmp_path.iterdir()))


def test_kernels_started_by_a_worker_can_be_interrupted() -> None:
    from work import interruptible

    assert [item.result for item in LocalRunner(1).run(interruptible, [Task(0, 60)])] == [True]


def test_workers_and_all_they_started_end_with_a_grader_that_is_killed(tmp_path: Path) -> None:
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
    _until(lambda: not any(psutil.pid_exists(int(path.name)) for path in pids.iterdir()))


def _workers() -> list[psutil.Process]:
    """Our worker processes; multiprocessing's resource tracker stays, and other tests have other children."""
    return [child for child in psutil.Process().children() if "spawn_main" in _command_line(child)]


def _command_line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def _until(condition, limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
