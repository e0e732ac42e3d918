"""Time that runs out, kernels that die, and what is left of the notebook afterwards."""

import pytest

from harness.course import Limits
from harness.kernel import Call
from harness.kernel.starts import Starts
from harness.records import Outcome

QUICK = Limits(cell_s=1.0, call_s=1.0, wall_s=60)
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"  # heeds no interrupt
KILLERS = {
    "os._exit": ("import os\nos._exit(0)", Outcome.CRASHED),
    "segfault": ("import ctypes\nctypes.string_at(0)", Outcome.CRASHED),
    "abort": ("import os\nos.abort()", Outcome.CRASHED),
    "kill": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", Outcome.CRASHED),
    "kernel exit": ("get_ipython().kernel.do_shutdown(False)\nimport os; os.kill(os.getpid(), 9)", Outcome.CRASHED),
    "endless in C": (STUBBORN, Outcome.TIMEOUT),
    "holds the interpreter": ("sum(range(10**13))", Outcome.TIMEOUT),
}


def outcomes(cells) -> list[Outcome]:
    return [cell.outcome for cell in cells]


def test_a_cell_over_its_time_is_interrupted_and_the_state_stays(opened):
    notebook = opened("x = [1]", "import time\nx.append(2)\ntime.sleep(60)", "y = x", limits=QUICK)
    execution = notebook.run_cells()
    assert outcomes(execution.cells) == [Outcome.PASSED, Outcome.TIMEOUT, Outcome.PASSED]
    assert execution.starts == 1
    assert notebook.call([Call("y")])[0].value == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("killer", KILLERS)
def test_a_cell_that_ends_the_kernel_is_skipped_and_the_others_run_again(opened, killer):
    source, outcome = KILLERS[killer]
    notebook = opened("def f(x): return x + 1", source, "1 / 0", "def g(x): return f(x) * 10", limits=QUICK)
    execution = notebook.run_cells()
    assert outcomes(execution.cells) == [Outcome.PASSED, outcome, Outcome.ERROR, Outcome.PASSED]
    assert execution.cells[1].error.cell == 1
    assert execution.starts == 2
    assert notebook.call([Call("g", (1,))])[0].value == 20


def test_three_kernels_are_started_for_cells_and_no_more(opened):
    die = "import os; os._exit(0)"
    notebook = opened("a = 1", die, die, die, "b = 2")
    execution = notebook.run_cells()
    assert outcomes(execution.cells) == [Outcome.PASSED, *[Outcome.CRASHED] * 3, Outcome.SKIPPED]
    assert execution.starts == 3
    assert notebook.defined(["a", "b"]) == (True, False)


@pytest.mark.slow
def test_a_good_cell_that_kills_the_second_time_is_not_run_a_third_time(opened):
    notebook = opened(
        "import time\nfirst = True\ntime.sleep(2.1)\n1 / 0",  # raised late: not run again
        "if 'first' not in globals(): import os; os._exit(0)\nn = 1",
        "import os; os._exit(0)",
        "k = 1",
    )
    execution = notebook.run_cells()
    assert outcomes(execution.cells) == [Outcome.ERROR, Outcome.PASSED, Outcome.CRASHED, Outcome.PASSED]
    assert execution.starts == 3
    assert notebook.defined(["n", "k"]) == (False, True)


@pytest.mark.slow
def test_memory_is_told_apart_from_a_crash(opened):
    notebook = opened(
        "hoard = []\nwhile True: hoard.append(b'x' * 10**7)",
        "y = 1",
        "def eat():\n    hoard = []\n    while True: hoard.append(bytearray(b'x' * 10**7))",
        limits=Limits(memory_bytes=400 * 2**20, cell_s=30, call_s=30),
    )
    execution = notebook.run_cells()
    assert outcomes(execution.cells) == [Outcome.MEMORY, Outcome.PASSED, Outcome.PASSED]
    eaten, after = (notebook.call([Call(name)])[0] for name in ("eat", "y"))
    assert (eaten.outcome, after.value) == (Outcome.MEMORY, 1)


@pytest.mark.slow
def test_the_time_of_the_whole_bounds_everything(opened):
    notebook = opened("import time", *["time.sleep(4)"] * 3, "z = 1", limits=Limits(cell_s=20, call_s=2, wall_s=7))
    execution = notebook.run_cells()
    assert outcomes(execution.cells)[:2] == [Outcome.PASSED, Outcome.PASSED]
    assert outcomes(execution.cells)[2:] == [Outcome.TIMEOUT] * 3
    [answer] = notebook.call([Call("z")])
    assert answer.outcome is Outcome.TIMEOUT
    assert "time was used up" in answer.error.message
    assert notebook.defined(["time"]) == (False,)


CALLED = """
import os, time, signal, ctypes
state = []
def ok(x): state.append(x); return x
def die(): os._exit(0)
def fault(): ctypes.string_at(0)
def sleep(): time.sleep(60)
def hold(): return sum(range(10**13))
def deaf():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True: pass
def swallow():
    while True:
        try: time.sleep(60)
        except KeyboardInterrupt: pass
class Thing:
    def get(self): return 5
"""


def test_a_call_over_its_time_ends_with_its_kernel(opened):
    notebook = opened(CALLED, limits=QUICK)
    notebook.run_cells()
    first, slow, rest = notebook.call([Call("ok", (1,)), Call("sleep"), Call("ok", (2,))])
    assert (first.outcome, slow.outcome, rest.outcome) == (Outcome.PASSED, Outcome.TIMEOUT, Outcome.TIMEOUT)
    assert notebook.call([Call("state")])[0].value == []  # a new kernel: what an interrupt leaves half done is gone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hold", "deaf", "swallow"])
def test_a_call_that_heeds_no_interrupt_ends_with_its_kernel(opened, name):
    notebook = opened(CALLED, limits=QUICK)
    notebook.run_cells()
    answers = notebook.call([*(Call("ok", (number,)) for number in range(40)), Call(name)])
    assert [answer.value for answer in answers] == [*range(40), None]
    assert answers[-1].outcome is Outcome.TIMEOUT
    assert notebook.call([Call("ok", (3,)), Call("state")])[1].value == [3]


@pytest.mark.parametrize(
    ("name", "message"),
    [("die", "the kernel ended here"), ("fault", "the kernel ended here (Segmentation fault)")],
)
def test_the_call_that_ended_the_kernel_is_named_and_the_rest_of_its_batch_is_not_made(opened, name, message):
    notebook = opened(CALLED)
    notebook.run_cells()
    answers = notebook.call([Call("ok", (1,)), Call("ok", (2,)), Call(name), Call("ok", (3,)), Call("missing")])
    passed, skipped = Outcome.PASSED, Outcome.SKIPPED
    assert outcomes(answers) == [passed, passed, Outcome.CRASHED, skipped, skipped]
    assert notebook.call([Call("ok", (3,))])[0].value == 3
    assert answers[2].error.message == message


@pytest.mark.slow
def test_a_function_that_always_kills_uses_up_the_starts(opened, monkeypatch):
    monkeypatch.setattr(Starts.kernel, "__kwdefaults__", {"most": 3})
    notebook = opened(CALLED)
    notebook.run_cells()
    answers = [notebook.call([Call("die")])[0] for _ in range(4)]
    assert outcomes(answers) == [Outcome.CRASHED] * 4
    assert "not started again" in answers[-1].error.message


def test_a_call_is_not_blamed_for_the_next_ones_crash(opened):
    notebook = opened(CALLED)
    notebook.run_cells()
    answers = notebook.call([*(Call("ok", (number,)) for number in range(50)), Call("die")])
    assert outcomes(answers) == [*[Outcome.PASSED] * 50, Outcome.CRASHED]


def test_handles_end_with_their_kernel(opened):
    notebook = opened(CALLED)
    notebook.run_cells()
    thing = notebook.call([Call("Thing")])[0].value
    calls = [Call("get", target=thing), Call("die"), Call("get", target=thing), Call("ok", (thing.start,))]
    before, dead, after, fresh = (notebook.call([call])[0] for call in calls)
    assert (before.value, dead.outcome, after.outcome, fresh.value) == (5, Outcome.CRASHED, Outcome.CRASHED, 1)
    assert "ended with an earlier kernel" in after.error.message
    passed_on = notebook.call([Call("ok", ([thing],))])[0]
    assert passed_on.outcome is Outcome.CRASHED


def test_a_kernel_that_dies_between_calls_is_started_again(opened):
    notebook = opened("import os, threading\ndef arm():\n    threading.Timer(0.05, os._exit, [0]).start()\nx = 1")
    notebook.run_cells()
    notebook.call([Call("arm")])
    while notebook.call([Call("arm.missing")])[0].outcome is Outcome.MISSING and len(notebook._starts.used) == 0:
        pass
    assert notebook.call([Call("x")])[0].value == 1


def test_usage_is_reported_over_all_starts(opened):
    execution = opened("b = bytearray(b'x' * 150_000_000)", "del b", "import os; os._exit(0)", "c = 1").run_cells()
    assert execution.starts == 2
    assert execution.peak_memory_bytes > 150_000_000
    assert execution.cpu_s > 0


def test_closing_twice_and_before_a_start_is_fine(opened):
    notebook = opened("x = 1")
    notebook.close()
    notebook.close()
