"""Ways to look fast without being it, in real kernels: each is refused, wrong, or no faster in the end.

All work is a loop of known length, so that an honest notebook and a liar do the same amount of it; figures that a liar
hopes for are five times as good, what is asserted leaves room for any machine.
"""

import platform
import textwrap

import numpy as np
import pytest
import torch

from harness.checks import Mismatch, NoAnswer, Text
from harness.metrics.contract import Refused
from harness.metrics.speed import Settings, measure
from harness.sandbox.syscalls import CLONE

SOLUTION = """
def total(values):
    result = 0
    for _ in range(800):
        for value in values:
            result = (result * 31 + value) % 1_000_003
    return result
"""
QUICK = Settings(blocks=5, block_s=0.03)
BELIEVED = 2.0  # a liar that gets away with it shows 5 or more
ALONE = 1.1  # one that hides half of its work shows 1.3 or more, one that hides nothing 0.7

pytestmark = pytest.mark.slow


def draw(rng):
    return (rng.integers(0, 10**6, size=int(rng.integers(250, 350))).tolist(),)


def same(answer, expected):
    if type(answer) is not int or answer != expected:
        raise Mismatch(Text("faux", "wrong"))


def believe(answer, expected):
    """Anything is right: shows what the clock alone says."""


@pytest.fixture
def timed(live, baseline):
    """Times the notebook that defines `total` beside the solution, from its own seed."""

    def timed(source, *, like=same, settings=QUICK, solution=SOLUTION):
        theirs = baseline(textwrap.dedent(solution)).total
        mine = live(textwrap.dedent(source)).total
        return measure(mine, theirs, draw, rng=np.random.default_rng(5), same=like, settings=settings)

    return timed


def test_honest_notebooks_get_the_ratio_of_their_work(timed):
    itself = timed(SOLUTION)[0]
    assert itself.name == "speed"
    assert itself.unit == "×"
    assert itself.low <= itself.value <= itself.high
    assert 0.5 < itself.value < 2
    third = timed(SOLUTION.replace("range(800)", "range(2400)"), like=believe)[0]
    assert third.value < 0.5 * itself.value


def test_honest_first_then_fast_is_wrong_later(timed):
    liar = """
        calls = 0
        def total(values):
            global calls
            calls += 1
            result = 0
            for _ in range(800 if calls <= 12 else 8):
                for value in values:
                    result = (result * 31 + value) % 1_000_003
            return result
    """
    with pytest.raises(Mismatch):
        timed(liar)


CACHES = {
    "value": "repr(values[:8])",
    "id": "id(values)",
    "shape": "len(values)",
    "last answer whatever is asked": "0",
}


@pytest.mark.parametrize("key", CACHES.values(), ids=CACHES.keys())
def test_an_answer_remembered_is_the_answer_to_something_else(timed, key):
    cache = f"""
        cache = {{}}
        def total(values):
            key = {key}
            if key not in cache:
                result = 0
                for _ in range(800):
                    for value in values:
                        result = (result * 31 + value) % 1_000_003
                cache[key] = result
            return cache[key]
    """
    try:
        found = timed(cache)[0].value
    except Mismatch:
        return
    assert found < BELIEVED


def test_arrays_remembered_by_their_pointer_gain_nothing(live, baseline):
    solution = """
import numpy as np
def total(x):
    for _ in range(300):
        x = np.sqrt(x * x + 1.0)
    return x
"""
    liar = """
import numpy as np
cache = {}
def total(x):
    key = x.ctypes.data, x.shape
    if key not in cache:
        for _ in range(300):
            x = np.sqrt(x * x + 1.0)
        cache[key] = x
    return cache[key]
"""

    def close(answer, expected):
        if not np.array_equal(answer, expected):
            raise Mismatch(Text("faux", "wrong"))

    try:
        found = measure(
            live(liar).total,
            baseline(solution).total,
            lambda rng: (rng.normal(size=2000),),
            rng=np.random.default_rng(5),
            same=close,
            settings=QUICK,
        )[0].value
    except Mismatch:
        return
    assert found < BELIEVED


def test_an_object_that_would_compute_later_is_no_answer(timed):
    lazy = """
        class Lazy:
            def __init__(self, values): self.values = values
            def __int__(self): return 0
            __index__ = __eq__ = __int__
            __hash__ = None
        def total(values):
            return Lazy(values)
    """
    with pytest.raises(Mismatch):
        timed(lazy)


LATE = """
import numpy as np
import torch
torch.set_num_threads(1)

def work(x):
    for _ in range(400):
        x = torch.sqrt(x * x + 1.0)
    return x

class Late(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            plain = [each.as_subclass(torch.Tensor) if isinstance(each, Late) else each for each in args]
            if function.__name__ in {"__get__", "size", "dim", "stride"}:
                return function(*plain, **(kwargs or {}))
            done = [work(each) if isinstance(each, torch.Tensor) else each for each in plain]
            return function(*done, **(kwargs or {}))

def total(x):
    return x.as_subclass(Late)
"""


def test_a_tensor_that_computes_when_it_is_converted_gains_nothing(live, baseline):
    honest = LATE.partition("class Late")[0] + "\ndef total(x):\n    return work(x)\n"
    packages = {"packages": ("numpy", "torch")}

    def close(answer, expected):
        if type(answer) is not type(expected) or not answer.equal(expected):
            raise Mismatch(Text("faux", "wrong"))

    try:
        found = measure(
            live(LATE, **packages).total,
            baseline(honest, **packages).total,
            lambda rng: (torch.from_numpy(rng.normal(size=4000)),),
            rng=np.random.default_rng(5),
            same=close,
            settings=QUICK,
        )[0].value
    except (Mismatch, NoAnswer):
        return
    assert found < BELIEVED


def test_clocks_patched_in_the_notebook_change_nothing(timed):
    patched = """
        import time
        still = time.perf_counter()
        for clock in ("perf_counter", "monotonic", "process_time", "thread_time", "time"):
            setattr(time, clock, lambda: still)
            setattr(time, clock + "_ns", lambda: int(still))
        time.clock_gettime = lambda which: still
        time.sleep = lambda seconds: None
    """
    assert timed(textwrap.dedent(patched) + SOLUTION)[0].value < BELIEVED


def test_work_in_a_thread_is_counted(timed):
    thread = """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        def work(values):
            result = 0
            for _ in range(800):
                for value in values:
                    result = (result * 31 + value) % 1_000_003
            return result
        def total(values):
            return pool.submit(work, values).result()
    """
    assert timed(thread)[0].value < BELIEVED


def test_a_thread_that_goes_on_between_calls_is_charged(timed):
    background = """
        import threading, time
        def burn():
            while True:
                sum(range(1000))
        threading.Thread(target=burn, daemon=True).start()
    """
    found = timed(textwrap.dedent(background) + SOLUTION)[0]
    assert found.value < 0.8
    assert any(fact.name.en == "work between calls, counted" and fact.value > 10 for fact in found.facts)


CHILD = """
import ctypes, os, signal, struct
libc = ctypes.PyDLL(None)  # keeps the interpreter's lock: the child could wait for it for ever
{prepare}
def work(values, times):
    result = 0
    for _ in range(times):
        for value in values:
            result = (result * 31 + value) % 1_000_003
    return result
def total(values):
    reading, writing = os.pipe()
    child = {fork}
    if child == 0:
        {child}
        os.write(writing, struct.pack("q", work(values, {times})))
        os._exit(0)
    os.close(writing)
    {meanwhile}
    result = struct.unpack("q", os.read(reading, 8))[0]
    os.close(reading)
    {wait}
    return result
"""
PLAIN = {
    "prepare": "",
    "fork": "os.fork()",
    "child": "pass",
    "times": 800,
    "meanwhile": "pass",
    "wait": "os.waitpid(child, 0)",
}
IGNORED = {"prepare": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "wait": "pass"}
NO_ZOMBIES = """
class Action(ctypes.Structure):  # struct sigaction of the C library
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int)]
    _fields_.append(("restorer", ctypes.c_void_p))
action = Action(0, (ctypes.c_ulong * 16)(), 2, 0)  # SA_NOCLDWAIT
assert libc.sigaction(signal.SIGCHLD, ctypes.byref(action), None) == 0
"""
CHILDREN = {
    "waited for": {},
    "ignored": IGNORED,
    "ignored in time to be forgotten": {"wait": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"},
    "no zombies": {"prepare": NO_ZOMBIES, "wait": "pass"},
    "never waited for": {"wait": "pass"},
    "without a signal": {"fork": "libc.syscall(CLONE, 0, 0, 0, 0, 0)", "wait": "pass"},
    "of the first process": {"fork": "libc.syscall(CLONE, 0x8000 | 17, 0, 0, 0, 0)", "wait": "pass"},  # CLONE_PARENT
    "left by its parent": {"child": "os.fork() and os._exit(0)"},
    "half of the work": IGNORED | {"times": 400, "meanwhile": "work(values, 400)"},  # at the same time
}


@pytest.mark.parametrize("how", CHILDREN)
def test_work_in_a_child_process_is_counted(how, timed):
    """Whatever becomes of the child, and however busy the machine is; the right answer is taken for granted."""
    source = CHILD.format(**PLAIN | CHILDREN[how]).replace("CLONE", str(CLONE[platform.machine()]))
    assert timed(source, like=believe)[0].value < ALONE


def test_a_return_before_the_work_is_done_is_wrong(timed):
    early = """
        import threading
        answers = [0]
        def work(values):
            result = 0
            for _ in range(800):
                for value in values:
                    result = (result * 31 + value) % 1_000_003
            answers.append(result)
        def total(values):
            threading.Thread(target=work, args=(values,)).start()
            return answers[-1]
    """
    with pytest.raises(Mismatch):
        timed(early)


def test_slowing_the_baseline_down_costs_more_than_it_brings(timed):
    noise = """
        import os, threading
        if os.fork() == 0:
            block = bytearray(1 << 24)
            while True:
                block[:] = bytes(1 << 24)
    """
    assert timed(textwrap.dedent(noise) + SOLUTION)[0].value < 0.8


def test_no_work_at_all_gets_no_ratio(timed):
    with pytest.raises(Refused) as refused:
        timed("def total(values):\n    return 0\n", like=believe)
    assert refused.value.reason == "too_fast_to_measure"
    assert "ms par appel" in refused.value.text.fr
    assert "ms a call" in refused.value.text.en


def test_a_kernel_that_ends_while_it_is_timed_has_no_ratio(timed):
    dying = """
        import os
        calls = 0
        def total(values):
            global calls
            calls += 1
            if calls == 9:
                os._exit(1)
            result = 0
            for _ in range(800):
                for value in values:
                    result = (result * 31 + value) % 1_000_003
            return result
    """
    with pytest.raises(NoAnswer):
        timed(dying)


def test_five_times_as_fast_by_leaving_work_out_is_wrong_and_would_have_shown(timed):
    lazy = SOLUTION.replace("range(800)", "range(160)")
    with pytest.raises(Mismatch):
        timed(lazy)
    believed = timed(lazy, like=believe)[0]
    assert believed.value > BELIEVED
