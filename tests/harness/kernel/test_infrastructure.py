"""A kernel whose sandbox ended under it: nobody is blamed, and no other kernel is started for that submission."""

import select
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

import harness.kernel.live
from harness.course import Limits, Policy
from harness.errors import InfrastructureError
from harness.kernel import Call
from harness.kernel.inside import trusted_files
from harness.kernel.live import LiveNotebook
from harness.kernel.warmth import warmth
from harness.records import Outcome
from harness.sandbox.warm.outside import Warm
from harness.sandbox.warm.owner import ForkServer

DIE = "import os; os._exit(0)"
ENDED = "the sandbox of a kernel ended under it"
PATIENCE_S = 60.0


class Doomed:
    """A sandbox whose programs were ended by what keeps them, from the start with number `since` on."""

    name = "doomed"
    guarantees = ()

    def __init__(self, sandbox, *, since=1):
        self.sandbox = sandbox
        self.since = since
        self.starts = 0

    def start(self, program):
        self.starts += 1
        process = self.sandbox.start(replace(program, environment={"START": str(self.starts)}))
        return Process(process) if self.starts >= self.since else process


class Process:
    """A process that was ended by its sandbox, unless we ended it."""

    def __init__(self, real):
        self.real = real
        self.ended_by_us = False

    def __getattr__(self, name):
        return getattr(self.real, name)

    def end(self, grace_s=0.0):
        self.ended_by_us = self.ended_by_us or self.real.running()
        self.real.end(grace_s)

    def exceeded(self):
        return None if self.ended_by_us or self.real.running() else Outcome.INFRASTRUCTURE


@pytest.fixture
def doomed(cold):
    return Doomed(cold)


def wait_for_its_end(notebook) -> None:
    descriptor = notebook._starts._kernel.process.wait_fd()
    assert select.select([descriptor], [], [], PATIENCE_S)[0]


def everything_fails(notebook, sandbox, *, starts=1) -> None:
    """Whatever is asked, it is our fault, and nothing is started again."""
    for ask in (notebook.run_cells, lambda: notebook.call([Call("f")]), lambda: notebook.defined(["f"])):
        with pytest.raises(InfrastructureError):
            ask()
    assert sandbox.starts == starts


def test_in_a_cell(doomed, make_plan):
    with LiveNotebook(make_plan("x = 1", DIE, "y = 1"), doomed) as notebook:
        with pytest.raises(InfrastructureError, match=ENDED):
            notebook.run_cells()
        everything_fails(notebook, doomed)


def test_in_a_call(doomed, make_plan):
    with LiveNotebook(make_plan("def f(): import os; os._exit(0)"), doomed) as notebook:
        assert notebook.run_cells().cells[0].outcome is Outcome.PASSED
        with pytest.raises(InfrastructureError, match=ENDED):
            notebook.call([Call("f"), Call("f")])
        everything_fails(notebook, doomed)


@pytest.mark.parametrize("left_s", [60.0, 0.0])
def test_between_two_requests(doomed, make_plan, left_s):
    with LiveNotebook(
        make_plan("import os, threading\nthreading.Timer(0.1, os._exit, (0,)).start()"), doomed
    ) as notebook:
        notebook.run_cells()
        wait_for_its_end(notebook)
        notebook._clock._left_s = left_s  # a submission whose time is up as well is not blamed for that
        everything_fails(notebook, doomed)


def test_in_a_cell_that_is_run_again(cold, make_plan):
    doomed = Doomed(cold, since=2)
    ends_in = "import os\nif os.environ['START'] == '{}': os._exit(0)"
    with LiveNotebook(make_plan(ends_in.format(2), ends_in.format(1), "y = 1"), doomed) as notebook:
        with pytest.raises(InfrastructureError, match=ENDED):
            notebook.run_cells()
        everything_fails(notebook, doomed, starts=2)


def test_while_a_cell_is_interrupted(doomed, make_plan):
    stubborn = "import os, signal\nsignal.signal(signal.SIGINT, lambda *_: os._exit(0))\nwhile True: pass"
    limits = Limits(cell_s=1.0, call_s=20, wall_s=120)
    with LiveNotebook(make_plan(stubborn, limits=limits), doomed) as notebook:
        with pytest.raises(InfrastructureError, match=ENDED):
            notebook.run_cells()
        everything_fails(notebook, doomed)


def test_before_it_is_ready(doomed, make_plan, monkeypatch):
    monkeypatch.setattr(
        "harness.kernel.starts.trusted_files", lambda: {**trusted_files(), "app.py": DIE.encode("ascii")}
    )
    with LiveNotebook(make_plan("x = 1"), doomed) as notebook:
        everything_fails(notebook, doomed)


def test_between_ready_and_the_first_answer(doomed, make_plan, monkeypatch):
    dies = b"import os\ndef prepare(forbidden): pass\n"
    dies += b"def run(settings): os.write(int(os.environ['BAREME_READY_FD']), b'1')"
    monkeypatch.setattr("harness.kernel.starts.trusted_files", lambda: {**trusted_files(), "app.py": dies})
    with LiveNotebook(make_plan("x = 1"), doomed) as notebook:
        with pytest.raises(InfrastructureError, match=ENDED):
            notebook.run_cells()
        everything_fails(notebook, doomed)


def test_a_kernel_that_we_end_for_its_time_is_the_calls_fault(doomed, make_plan):
    limits = Limits(cell_s=20, call_s=1.0, wall_s=120)
    with LiveNotebook(make_plan("def f():\n    while True: pass", limits=limits), doomed) as notebook:
        notebook.run_cells()
        assert notebook.call([Call("f")])[0].outcome is Outcome.TIMEOUT


def test_a_fork_server_that_is_killed_in_mid_cell(make_plan, monkeypatch):
    """The real thing: every kernel of that server ends, and each says whose fault it was."""
    policy = Policy(packages=())
    before = set(psutil.Process().children(recursive=True))
    server = ForkServer(warmth(policy, "cpu"), secrets=())
    try:
        server.wait()
        servers = set(psutil.Process().children(recursive=True)) - before
        real = harness.kernel.live.run_cell

        async def run_cell(*args, **options):
            for process in servers:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            return await real(*args, **options)

        monkeypatch.setattr("harness.kernel.live.run_cell", run_cell)
        plan = make_plan("import time\ntime.sleep(600)", policy=policy)
        with LiveNotebook(plan, Warm(server.address, server.warmth)) as notebook:
            for _ in range(2):
                with pytest.raises(InfrastructureError, match=ENDED):
                    notebook.run_cells()
            assert notebook._starts.count == 1
    finally:
        server.close()
